"""How a file's text is encoded: what the user says, what the bytes show, and what the likeliest guess is."""

import codecs
from pathlib import Path

import numpy as np

from nrl_dedup.errors import NrlDedupError

UTF8 = "utf-8"
_BOMS = (  # UTF-32's begins as UTF-16's does
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_ZEROS = 0.05  # the share of zero bytes at odd (even) offsets that separators and digits alone bring to UTF-16
_FEW_ZEROS = 4  # fewer may be damage
_BINARY = 0.1  # the share of zero bytes from which a file is no text at all
_CYRILLIC = ("cp1251", "koi8-r", "cp866", "iso8859-5", "mac-cyrillic")
# Two thirds of the letters of Russian text, lower case as most letters are.
_FREQUENT = frozenset("оеаинтсрвл")
_FREQUENT_SHARE = 0.4
_EAST_ASIAN = ("gb18030", "euc-kr", "big5")
_KANA = range(0x3040, 0x3100)  # the letters of Japanese that Chinese has not
_KANA_SHARE = 0.3
_LONELY = 0.5  # the share of letters beyond ASCII that stand between ASCII in Western European text
_SAMPLE = 1 << 14


def check_encoding(name: str) -> str:
    """The codec's own name.

    :raises NrlDedupError: Python knows no text encoding of this name.
    """
    try:
        codec = codecs.lookup(name)
        known = codec._is_text_encoding and codec.incrementaldecoder is not None
    except (LookupError, ValueError, UnicodeError):
        known = False
    if not known:
        raise NrlDedupError(
            f"--encoding {name}: no text encoding of this name is known. Name one such as utf-8, utf-16, cp1251 "
            "(Windows, Cyrillic), koi8-r, cp1252 (Windows, Western European), cp1250, gb18030 or shift_jis."
        )
    return codec.name


def is_wide(encoding: str) -> bool:
    """Whether the encoding writes ASCII with zero bytes, as UTF-16 and UTF-32 do."""
    return encoding.startswith(("utf-16", "utf-32", "utf_16", "utf_32"))


def refuse_other_encodings(path: Path, head: bytes) -> None:
    """:raises NrlDedupError: `head`, the file's first bytes, show UTF-16 or UTF-32, or no text at all."""
    marked = next((name for bom, name in _BOMS if head.startswith(bom)), None)
    found, codec = (marked, marked.lower()) if marked else _by_zeros(head)
    if found is None:
        return
    if not codec:
        raise NrlDedupError(f"{path}: this is no text ({found}); a CSV or Parquet file was wanted.")
    raise NrlDedupError(
        f"{path}: this text is in {found}; wanted UTF-8. Add --encoding {codec}, or save the file as CSV in UTF-8."
    )


def _by_zeros(head: bytes) -> tuple[str | None, str]:
    zero = np.frombuffer(head, dtype=np.uint8) == 0
    even, odd = int(zero[::2].sum()), int(zero[1::2].sum())
    if even + odd < _FEW_ZEROS:
        return None, ""
    if not even and odd > _ZEROS * len(zero) / 2:
        return "UTF-16 (little-endian, without a byte order mark)", "utf-16-le"
    if not odd and even > _ZEROS * len(zero) / 2:
        return "UTF-16 (big-endian, without a byte order mark)", "utf-16-be"
    if zero.mean() > _BINARY:
        return f"{zero.mean():.0%} of its first bytes are zero", ""
    return None, ""


def likely_encoding(text: bytes) -> str:
    """A guess at the encoding of text that is not UTF-8, a name that `--encoding` takes.

    Japanese has kana; where most letters beyond ASCII stand alone between ASCII, it is Western European; Cyrillic
    encodings differ in where the frequent letters of Russian stand; other East Asian ones are tried whole.
    """
    text = text[:_SAMPLE]
    japanese = [ord(letter) for letter in text.decode("shift_jis", "replace") if letter > "\x7f"]
    if sum(letter in _KANA for letter in japanese) >= _KANA_SHARE * max(len(japanese), 1):
        return "shift_jis"
    data = np.frombuffer(text, dtype=np.uint8)
    high = np.concatenate([[False], data >= 0x80, [False]])
    alone = (high[1:-1] & ~high[:-2] & ~high[2:]).sum()
    if alone >= _LONELY * high.sum():
        return "cp1252"
    letters = bytes(data[data >= 0x80])
    shares = {name: _share_of_frequent(letters.decode(name, "replace")) for name in _CYRILLIC}
    best = max(shares, key=lambda name: shares[name])
    if shares[best] >= _FREQUENT_SHARE:
        return best
    return next((name for name in _EAST_ASIAN if _decodes(text, name)), "cp1251")


def _share_of_frequent(letters: str) -> float:
    return sum(letter in _FREQUENT for letter in letters) / max(len(letters), 1)


def _decodes(text: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(text)  # its last letter may be cut
    except UnicodeError:
        return False
    return True
