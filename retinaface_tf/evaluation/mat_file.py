"""Reads MATLAB 5 files of cells, text and numbers, such as WIDER FACE's ground truth.

SciPy's reader trusts the sizes that a file states, so that a damaged file can crash the process.
Here each size is checked against the bytes that are there.

Source: MathWorks, "MAT-File Format", chapter 1 (level 5).
"""

import math
import struct
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_BYTES = 1 << 26  # of all variables, decompressed; WIDER FACE's have 3 MB
MAX_DEPTH = 8  # of nested cells
HEADER_BYTES = 128
MATRIX, COMPRESSED = 14, 15  # types of elements
CELL, CHAR = 1, 4  # classes of arrays
NUMERIC = range(6, 16)
NUMBERS = {
    **{1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4"},
    **{7: "f4", 9: "f8", 12: "i8", 13: "u8"},
}
ENCODINGS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}

NOTHING = np.zeros((0, 0))

Value = str | NDArray[Any] | list["Value"]  # text, numbers [rows, columns ...], cells


def read_mat(file: Path, names: Collection[str]) -> dict[str, Value]:
    """Reads variables of a MATLAB 5 file.

    Args:
        file: its path.
        names: of the wanted variables; those that are missing are left out.

    Returns:
        Name -> value; cells as a list, in the file's order.

    Raises:
        ValueError: the file has another format, is damaged, or has a value of another class.
        OSError: the file cannot be read.
    """
    data = file.read_bytes()
    byte_order = {b"IM": "<", b"MI": ">"}.get(data[HEADER_BYTES - 2 : HEADER_BYTES])
    if byte_order is None:
        raise ValueError("not a MATLAB 5 file")
    found, room = {}, MAX_BYTES
    elements = _Elements(memoryview(data)[HEADER_BYTES:], byte_order)
    while elements.is_more:
        kind, content = elements.next()
        if kind == COMPRESSED:
            unpacked = _unpack(content, room)
            room -= len(unpacked)
            kind, content = _Elements(memoryview(unpacked), byte_order).next()
        if kind == MATRIX:
            matrix = _Matrix(content, byte_order)
            if matrix.name in names:
                found[matrix.name] = matrix.value(MAX_DEPTH)
    return found


def _unpack(content: memoryview, room: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(content, max(room, 1))  # 0 would mean no limit
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not unpacker.eof or len(unpacked) > room:
        raise ValueError(f"cut short, or more than {MAX_BYTES} bytes")
    return unpacked


class _Elements:
    """Reads the elements of a file or of a matrix, one after the other."""

    def __init__(self, data: memoryview, byte_order: str):
        """Starts before the first element.

        Args:
            data: all elements.
            byte_order: `<` or `>`.
        """
        self._data, self._tag, self._place = data, struct.Struct(byte_order + "II"), 0

    @property
    def is_more(self) -> bool:
        """Tells whether bytes are left."""
        return self._place < len(self._data)

    def next(self) -> tuple[int, memoryview]:
        """Returns the type and content of the next element.

        Raises:
            ValueError: the element is cut short.
        """
        start = self._place + self._tag.size
        if start > len(self._data):
            raise ValueError("cut short within a tag")
        kind, size = self._tag.unpack_from(self._data, self._place)
        if kind >> 16:  # up to four bytes are inside the tag
            kind, size, start = kind & 0xFFFF, kind >> 16, start - 4
            end, limit = start + 4, start + 4
        else:
            # Padded to eight bytes, unless compressed.
            end = start + size + (0 if kind == COMPRESSED else -size % 8)
            limit = len(self._data)
        if start + size > limit:
            raise ValueError(f"an element of {size} bytes, of which {limit - start} are there")
        self._place = end
        return kind, self._data[start : start + size]


class _Matrix:
    """Reads an array of any class."""

    def __init__(self, content: memoryview, byte_order: str):
        """Reads the class, shape and name.

        Args:
            content: of an element MATRIX.
            byte_order: `<` or `>`.

        Raises:
            ValueError: the array is damaged.
        """
        self._order, self._parts = byte_order, _Elements(content, byte_order)
        flags, shape = (self._numbers(*self._parts.next()).tolist() for _ in range(2))
        if len(flags) != 2 or len(shape) < 2 or min(shape) < 0:
            raise ValueError("an array without class or shape")
        self._class, self._shape = int(flags[0]) & 0xFF, shape
        self.name = bytes(self._parts.next()[1]).decode("latin-1")

    def value(self, depth: int) -> Value:
        """Reads the value, with cells nested at most `depth` deep.

        Raises:
            ValueError: the value is damaged, or not cells, text or numbers.
        """
        count = math.prod(self._shape)
        if self._class == CELL and depth > 0:
            return [self._cell(depth) for _ in range(count)]
        if not self._parts.is_more and not count:
            return np.zeros(self._shape) if self._class in NUMERIC else ""
        kind, content = self._parts.next()
        if self._class == CHAR and kind in ENCODINGS and self._shape[0] <= 1:
            return bytes(content).decode(self._encoding(kind))
        numbers = self._numbers(kind, content)
        if self._class not in NUMERIC or len(numbers) != count:
            raise ValueError(f"{len(numbers)} numbers of class {self._class}, expected {count}")
        return numbers.reshape(self._shape, order="F")

    def _cell(self, depth: int) -> Value:
        kind, content = self._parts.next()
        if kind != MATRIX:
            raise ValueError(f"a cell of type {kind}, expected an array")
        # An empty element has no class either.
        return _Matrix(content, self._order).value(depth - 1) if content else NOTHING

    def _encoding(self, kind: int) -> str:
        name = ENCODINGS[kind]
        return name + {"<": "-le", ">": "-be"}[self._order] if name[3:] in ("-16", "-32") else name

    def _numbers(self, kind: int, content: memoryview) -> NDArray[Any]:
        if kind not in NUMBERS:
            raise ValueError(f"an element of type {kind}, expected numbers")
        dtype = np.dtype(self._order + NUMBERS[kind])
        if len(content) % dtype.itemsize:
            raise ValueError(f"{len(content)} bytes of {dtype}")
        return np.frombuffer(content, dtype)
