"""Apache Thrift's compact protocol, as far as Parquet's headers need it: bytes -> dicts of field numbers to values."""

from typing import Any

_MAX_LEVELS = 16  # of structs and lists in each other; Parquet's headers have six to eight
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_MAX_NUMBER_BYTES = 10  # of a whole number of 64 bits, 7 bits in each byte

Struct = dict[int, Any]


class Reader:
    """Reads forward from `at`, never beyond `end`.

    Every method raises ValueError where the bytes are no such thing.
    """

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self._data = data
        self.at = at
        self._end = min(end, len(data))

    def struct(self, levels: int = _MAX_LEVELS) -> Struct:
        """The fields of a struct by their numbers; numbers as int or float, texts as bytes, lists as lists."""
        found: Struct = {}
        number = 0
        while head := self._byte():
            kind = head & 15
            step = head >> 4  # from the last field's number; 0: the number itself follows
            if step:
                number += step
            else:
                number = self._signed()
            if number in found:
                raise ValueError("a field stands twice")
            if kind in (_TRUE, _FALSE):
                found[number] = kind == _TRUE
            else:
                found[number] = self._value(kind, levels)
        return found

    def _value(self, kind: int, levels: int) -> Any:
        if not levels:
            raise ValueError("nested too deeply")
        if kind in (_TRUE, _FALSE, _BYTE):  # in a list, a truth value is a byte too
            return self._byte()
        if kind in (_I16, _I32, _I64):
            return self._signed()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _BINARY:
            return self._bytes(self._unsigned())
        if kind in (_LIST, _SET):
            return self._list(levels - 1)
        if kind == _STRUCT:
            return self.struct(levels - 1)
        raise ValueError(f"the type {kind} is unknown")  # a map too: Parquet has none

    def _list(self, levels: int) -> list[Any]:
        head = self._byte()
        kind = head & 15
        count = head >> 4
        if count == 15:  # the number itself follows
            count = self._unsigned()
        if count > self._end - self.at:  # an entry takes a byte at least
            raise ValueError(f"a list of {count:,} values does not fit")
        return [self._value(kind, levels) for _ in range(count)]

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)

    def _unsigned(self) -> int:
        value = 0
        for place in range(_MAX_NUMBER_BYTES):
            byte = self._byte()
            value |= (byte & 127) << 7 * place
            if byte < 128:
                return value
        raise ValueError("a number is too long")

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, count: int) -> bytes:
        if count > self._end - self.at:
            raise ValueError("it ends too early")
        self.at += count
        return self._data[self.at - count : self.at]
