"""ClickHouse's own compression of a body: `compress=1` for answers, `decompress=1` for inserts.

Blocks one after another, each a checksum (CityHash128 of version 1.0.2, 16 bytes), then what it is
of: method (1 byte), compressed size with these 9 bytes, plain size (4 bytes each, little-endian) and
the data. https://clickhouse.com/docs/interfaces/native-protocol/compression
"""

import struct
from collections.abc import AsyncIterator

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from local.clickhouse.errors import refused

NONE, LZ4, ZSTD = 0x02, 0x82, 0x90
_HEAD = struct.Struct("<BII")
_CHECKSUM_BYTES = 16
_START = _CHECKSUM_BYTES + _HEAD.size
WRITTEN_BYTES = 1024 * 1024
"""Of data in a block of ours, as many as the server writes (max_compress_block_size)."""
READ_BYTES_MAX = 256 * 1024 * 1024
"""Of a block that is read. A server takes 1 GiB (DBMS_MAX_COMPRESSED_SIZE)."""


class Blocks:
    """An answer in blocks of LZ4, which every client reads whatever it compresses with itself."""

    def compress(self, data: bytes, /) -> bytes:
        """The blocks that hold `data`."""
        parts = (data[i : i + WRITTEN_BYTES] for i in range(0, len(data), WRITTEN_BYTES))
        return b"".join(map(_block, parts))

    def flush(self) -> bytes:
        """Nothing: a body ends behind its last block."""
        return b""


def _block(data: bytes) -> bytes:
    compressed: bytes = lz4.block.compress(data, store_size=False)
    body = _HEAD.pack(LZ4, len(compressed) + _HEAD.size, len(data)) + compressed
    return checksum(body) + body


def checksum(body: bytes) -> bytes:
    """Both halves little-endian, the lower one first; CityHash128 gives the lower one above."""
    number: int = CityHash128(body)
    low, high = number >> 64, number & (2**64 - 1)
    return struct.pack("<QQ", low, high)


async def uncompressed(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The data of the blocks in `body`. Raises `QueryFailed`: 40 checksum, 271 broken or cut off."""
    waiting = bytearray()
    async for part in body:
        waiting += part
        while len(waiting) >= _START:
            method, size, plain = _HEAD.unpack_from(waiting, _CHECKSUM_BYTES)
            if not _HEAD.size <= size <= READ_BYTES_MAX or plain > READ_BYTES_MAX:
                raise _broken(f"a block of {size} bytes for {plain}; the limit is {READ_BYTES_MAX}")
            end = _CHECKSUM_BYTES + size
            if len(waiting) < end:
                break
            block = bytes(waiting[:end])
            del waiting[:end]
            yield _plain(block, method, plain)
    if waiting:
        raise _broken("the body ends within a block")


def _plain(block: bytes, method: int, size: int) -> bytes:
    if checksum(block[_CHECKSUM_BYTES:]) != block[:_CHECKSUM_BYTES]:
        raise refused(40, "Checksum doesn't match: corrupted data", "CHECKSUM_DOESNT_MATCH")
    data = block[_START:]
    try:
        if method == LZ4:
            return bytes(lz4.block.decompress(data, uncompressed_size=size))
        if method == ZSTD:
            return zstandard.ZstdDecompressor().decompress(data, max_output_size=size)
    except (lz4.block.LZ4BlockError, zstandard.ZstdError) as error:
        raise _broken(str(error)) from None
    if method != NONE:
        raise refused(89, f"Unknown compression method {method:#x}", "UNKNOWN_COMPRESSION_METHOD")
    return data


def _broken(why: str) -> Exception:
    return refused(271, f"Cannot decompress: {why}", "CANNOT_DECOMPRESS")
