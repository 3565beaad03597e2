"""Values of a column as ClickHouse's Native format has them.

Layout: https://clickhouse.com/docs/interfaces/formats/Native. Numbers are little-endian, a text is its
length (unsigned LEB128) and its bytes, a UUID is its two halves as numbers. A Nullable has a byte for
each value, 1 for null, before the values; a Map has the number of entries up to each row, then all
keys, then all values.
"""

import struct
from collections.abc import Iterable, Sequence

from contracts.encoding.leb128 import leb128

_SMALL_MAX = 16_384
_SMALL = [leb128(size) for size in range(_SMALL_MAX)]


def numbers(code: str, values: Sequence[int]) -> bytes:
    """Numbers of the width that `struct` knows as `code`."""
    return struct.pack(f"<{len(values)}{code}", *values)


def uuids(ids: Sequence[str]) -> bytes:
    """UUIDs, given as text."""
    halves = struct.unpack(f">{2 * len(ids)}Q", bytes.fromhex("".join(ids).replace("-", "")))
    return numbers("Q", halves)


def nulls(values: Sequence[object]) -> bytes:
    """Which values of a Nullable are null."""
    return bytes([value is None for value in values])


def words(values: Sequence[str]) -> bytes:
    """Texts of which there are few different ones."""
    encoded = {value: text(value) for value in set(values)}
    return b"".join([encoded[value] for value in values])


def texts(values: Iterable[str]) -> bytes:
    """Texts, most of them different."""
    return strings([value.encode() for value in values])


def strings(values: Sequence[bytes]) -> bytes:
    """Bytes, each with its length."""
    parts = [b""] * (2 * len(values))
    parts[::2] = [_SMALL[size] if size < _SMALL_MAX else leb128(size) for size in map(len, values)]
    parts[1::2] = values
    return b"".join(parts)


def text(value: str) -> bytes:
    """One text."""
    return strings([value.encode()])
