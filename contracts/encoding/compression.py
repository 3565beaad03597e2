"""How the records of a batch are compressed: a codec's number in Kafka's format, and its function.

Layout: https://kafka.apache.org/documentation/#recordbatch, zstd since KIP-110. What gains little stays
as it is: small batches, and those that do not get smaller.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import cramjam
import zstandard

Compression = Literal["none", "lz4", "zstd"]

LZ4_LEVEL = 1
ZSTD_LEVEL = 1


class Codec(NamedTuple):
    """`number` is what a batch's attributes call it; `compress` may be called by one thread only."""

    number: int
    compress: Callable[[bytes], bytes]
    bytes_min: int

    def encode(self, records: bytes) -> tuple[int, bytes]:
        """The number and the bytes that a batch of `records` takes; 0 when they are not compressed."""
        if len(records) < self.bytes_min:
            return 0, records
        compressed = self.compress(records)
        return (self.number, compressed) if len(compressed) < len(records) else (0, records)


def codec(compression: Compression, bytes_min: int) -> Codec | None:
    """A new codec for batches of at least `bytes_min`; to make its state costs more than to use it."""
    if compression == "zstd":
        return Codec(4, zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress, bytes_min)
    return Codec(3, _lz4, bytes_min) if compression == "lz4" else None


def _lz4(data: bytes) -> bytes:
    """A frame whose blocks stand alone, as Kafka wants them (KIP-57)."""
    compressor = cramjam.lz4.Compressor(level=LZ4_LEVEL, content_checksum=False, block_linked=False)
    compressor.compress(data)
    return bytes(compressor.finish())
