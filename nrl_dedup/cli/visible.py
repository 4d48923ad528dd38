"""Text that came from data, as it is shown: what would drive the terminal is made visible."""

_C0_AND_DELETE = [*range(0x20), 0x7F]
_C1 = range(0x80, 0xA0)
# Signs of the direction of writing: with them, text would seem to be another.
_DIRECTION = [
    0x061C,
    0x200E,
    0x200F,
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
]
_LINE_ENDS = [0x2028, 0x2029]
_SURROGATES = range(0xD800, 0xE000)  # of a file name that is not UTF-8; no stream can show them
_BYTES_OF_NAMES = range(0xDC80, 0xDD00)  # those that stand for a byte

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escaped(code: int) -> str:
    if code in _BYTES_OF_NAMES:
        code -= 0xDC00
    return _NAMED.get(chr(code)) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


_ONE_LINE = {
    code: _escaped(code) for code in (*_C0_AND_DELETE, *_C1, *_DIRECTION, *_LINE_ENDS, *_SURROGATES)
}
_SEVERAL_LINES = {code: shown for code, shown in _ONE_LINE.items() if code != ord("\n")}


def visible(text: str, *, lines: bool = False) -> str:
    r"""`text` with control and direction characters, line ends too, written as `\x1b`, `\n`, `\u202e`.

    :param lines: leave line feeds as they are, where the text is laid out in lines.
    """
    return text.translate(_SEVERAL_LINES if lines else _ONE_LINE)
