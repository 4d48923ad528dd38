"""A fastText model's file (`.bin`), checked from its first byte to its last: fastText itself believes what it reads,
and ends the process, hangs, or answers with random numbers.

The file: the options; the dictionary, its words and labels each with a count; the input matrix, a row for each word and
for each of the buckets that subwords are hashed into; and the output matrix, a row for each word, or label in a
classifier. Each matrix comes after a flag (whether it is quantised) and its two dimensions.
"""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from nrl_dedup.errors import NrlDedupError

MAX_SIZE = 10_000  # of a vector; the published models have 300
MAX_BUCKETS = 100_000_000  # of subwords; the published models have 2,000,000
MAX_SUBWORD = 20  # letters; the published models have 6
_MAX_WORD_BYTES = 10_000  # bytes; fastText cuts none
_MAX_SUBWORDS = 4  # for each byte of the file; one word of a vector of one number has fewer
_MAX_COUNT = 10**14  # of all words together: beyond 10^15 fastText's Huffman tree does not end
_MAGIC = 793712314
_VERSIONS = (11, 12)
_SUPERVISED = 3
_HUFFMAN = 1
_LOSSES = (1, 2, 3, 4)
_KINDS = (1, 2, 3)

# magic, version; size, window, epochs, least count, negatives, n-grams, loss, kind, buckets, shortest and longest
# subword, rate of updates; a threshold; entries = words + labels; tokens, and pruned entries (-1: it was never pruned)
_START = struct.Struct("<2i12id3i2q")
_ENTRY = struct.Struct("<qb")  # after a word and a byte of 0: its count, and whether it is a label
_MATRIX = struct.Struct("<?2q")


@dataclass(frozen=True)
class _Options:
    size: int
    loss: int
    kind: int
    buckets: int
    longest_subword: int
    entries: int
    words: int
    labels: int

    @property
    def output_rows(self) -> int:
        return self.labels if self.kind == _SUPERVISED else self.words


def check_fasttext(path: Path) -> int:
    """The size of the vectors in a whole model.

    :raises NrlDedupError: there is no such file, or it is not a whole fastText model.
    """
    wrong = f"--word-vectors {path}: wanted a fastText model (.bin), such as cc.ru.300.bin"
    try:
        if path.exists() and not path.is_file():
            raise NrlDedupError(
                f"{wrong}; it cannot be read: this is a folder, a pipe or a device."
            )
        with path.open("rb") as file:
            if path.stat().st_size < _START.size:
                raise ValueError("this file is not one, or is cut short")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                options = _read_options(data)
                _check_matrices(data, _end_of_dictionary(data, options), options)
    except OSError as error:
        raise NrlDedupError(f"{wrong}; it cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise NrlDedupError(f"{wrong}; {error}.") from error
    return options.size


def _read_options(data: mmap.mmap) -> _Options:
    (magic, version, size, _, _, _, negatives, _, loss, kind, buckets, shortest, longest, _, _,
     entries, words, labels, _, pruned) = _START.unpack_from(data)  # fmt: skip
    if magic != _MAGIC or version not in _VERSIONS:
        raise ValueError("this file is not one. Unpack it first if it ends in .gz")
    if pruned != -1:
        raise ValueError("this one is quantised. Get the .bin of the same name")
    needed = labels if kind == _SUPERVISED else words
    add_up = entries == words + labels
    enough = words >= 1 and labels >= 0 and needed >= 1
    if not (add_up and enough):
        raise ValueError(
            f"this one says that {words:,} words and {labels:,} labels are {entries:,} entries"
        )
    size_is_right = 0 < size <= MAX_SIZE
    counts_are_right = 0 <= buckets <= MAX_BUCKETS and negatives >= 0
    shortest_is_right = 0 <= shortest <= MAX_SUBWORD
    longest_is_right = 0 <= longest <= MAX_SUBWORD and (buckets or not longest)
    is_known = loss in _LOSSES and kind in _KINDS
    subwords_are_right = shortest_is_right and longest_is_right
    if not (size_is_right and counts_are_right and subwords_are_right and is_known):
        raise ValueError(
            f"this one's options cannot be so (vectors of {size:,}, {buckets:,} buckets)"
        )
    return _Options(size, loss, kind, buckets, longest, entries, words, labels)


def _end_of_dictionary(data: mmap.mmap, options: _Options) -> int:
    """Where the entries end, each of which is read."""
    at = _START.size
    total = 0
    last = _MAX_COUNT
    for number in range(options.entries):
        end = data.find(b"\0", at, at + _MAX_WORD_BYTES)
        after_entry = end + 1 + _ENTRY.size
        if end < 0 or after_entry > len(data):
            raise ValueError(
                f"this one is cut short in the dictionary, at entry {number + 1:,} of {options.entries:,}"
            )
        count, is_label = _ENTRY.unpack_from(data, end + 1)
        total += count
        # fastText writes all words, the most frequent first, and then all labels.
        should_be_label = number >= options.words
        is_in_range = count >= 0 and total <= _MAX_COUNT
        if not is_in_range or is_label != should_be_label:
            raise ValueError(
                f"this one's entry {number + 1:,} has the count {count:,}, or is of another kind"
            )
        begins_labels = number == options.words
        is_more_frequent = count > last and not begins_labels
        if options.loss == _HUFFMAN and is_more_frequent:
            raise ValueError(f"this one's entry {number + 1:,} is out of order")
        at = after_entry
        last = count
    dictionary_bytes = at - _START.size
    subwords = dictionary_bytes * options.longest_subword
    if subwords > _MAX_SUBWORDS * len(data):
        raise ValueError("this one's words have more subwords than it has room for")
    return at


def _check_matrices(data: mmap.mmap, at: int, options: _Options) -> None:
    for rows in (options.words + options.buckets, options.output_rows):
        if at + _MATRIX.size > len(data):
            raise ValueError(f"this one is cut short at {len(data):,} bytes. Get it again")
        quantised, found, size = _MATRIX.unpack_from(data, at)
        if quantised:
            raise ValueError("this one is quantised. Get the .bin of the same name")
        if (found, size) != (rows, options.size):
            raise ValueError(
                f"this one has a matrix of {found:,} by {size:,}; {rows:,} by {options.size:,} were wanted"
            )
        bytes_of_numbers = 4 * found * size
        at += _MATRIX.size + bytes_of_numbers
    if at > len(data):
        raise ValueError(f"this one is cut short at {len(data):,} bytes. Get it again")
    if at < len(data):
        raise ValueError(f"this one has {len(data) - at:,} bytes too many. Get it again")
