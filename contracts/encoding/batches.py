"""Record batches as a broker sends them (format version 2): cut apart, and decompressed within a bound.

aiokafka decompresses whatever it is given, whole; who answers requests cannot. Layout:
https://kafka.apache.org/documentation/#recordbatch.
"""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

import cramjam
import crc32c
import zstandard

from contracts.encoding.recordbatch import BATCH_HEAD, LENGTH_STARTS, MAGIC

HEAD_BYTES = 61
_LENGTH_AT, _ATTRIBUTES_AT = 8, 21
_CODEC, _CONTROL = 0x07, 0x20
_LZ4_RATIO_MAX = 255


class Unreadable(Exception):
    """Batches that are not read here; the message says why."""


class Batch(NamedTuple):
    """One batch: the offset behind its last record, and its bytes as if it had not been compressed."""

    next_offset: int
    data: bytes


def split(data: bytes, plain_bytes_max: int) -> Iterator[Batch]:
    """The whole batches of `data`; what is cut off at its end is left out, and so are transactions' marks.

    Decompressed they may have `plain_bytes_max` together. Raises `Unreadable`.
    """
    at, whole = 0, memoryview(data)
    while len(data) - at >= HEAD_BYTES:
        base_offset, length, _, magic, crc = BATCH_HEAD.unpack_from(data, at)
        end = at + LENGTH_STARTS + length
        if magic != MAGIC or length < HEAD_BYTES - LENGTH_STARTS:
            raise Unreadable(f"a batch of format {magic} and {length:,} bytes")
        if end > len(data):
            break
        if crc32c.crc32c(whole[at + _ATTRIBUTES_AT : end]) != crc:
            raise Unreadable(f"the batch at offset {base_offset:,} is damaged")
        attributes, last = struct.unpack_from(">hi", data, at + _ATTRIBUTES_AT)
        plain = b"" if attributes & _CONTROL else _plain(data[at:end], attributes, plain_bytes_max)
        plain_bytes_max -= len(plain)
        yield Batch(base_offset + last + 1, plain)
        at = end


def _plain(batch: bytes, attributes: int, bytes_max: int) -> bytes:
    codec = attributes & _CODEC
    if codec == 0:
        return batch
    decompress = _CODECS.get(codec)
    if decompress is None:
        raise Unreadable(f"a batch compressed by the codec {codec}")
    try:
        records = decompress(batch[HEAD_BYTES:], bytes_max)
    except (zstandard.ZstdError, cramjam.DecompressionError) as error:
        raise Unreadable(f"a batch that cannot be decompressed: {error}") from None
    if len(records) > bytes_max:
        raise Unreadable(f"batches of more than {bytes_max:,} bytes")
    head = bytearray(batch[:HEAD_BYTES])
    struct.pack_into(">i", head, _LENGTH_AT, HEAD_BYTES - LENGTH_STARTS + len(records))
    struct.pack_into(">h", head, _ATTRIBUTES_AT, attributes & ~_CODEC)
    return bytes(head) + records


def _zstd(data: bytes, bytes_max: int) -> bytes:
    """One byte more than `bytes_max` at the most."""
    return zstandard.ZstdDecompressor().stream_reader(data).read(bytes_max + 1)


def _lz4(data: bytes, bytes_max: int) -> bytes:
    room = bytearray(min(bytes_max, _LZ4_RATIO_MAX * len(data)))
    size = cramjam.lz4.decompress_into(data, room)  # raises when there is more
    return bytes(memoryview(room)[:size])


_CODECS: dict[int, Callable[[bytes, int], bytes]] = {3: _lz4, 4: _zstd}
"""Those of `compression`, by their numbers; nobody else writes where we read."""
