"""How the records of a batch are compressed (KIP-98, KIP-110): a codec's number, its name, its function.

What gains nothing stays as it is: a batch below `BYTES_MIN`, and one that does not get smaller.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import cramjam
import zstandard

Compression = Literal["none", "lz4", "zstd"]

LZ4_LEVEL = 1  # of LZ4's fast kind
ZSTD_LEVEL = 1
BYTES_MIN = 4096


class Codec(NamedTuple):
    """`number` is what a batch's attributes call it; `compress` is for one thread."""

    number: int
    compress: Callable[[bytes], bytes]

    def encode(self, records: bytes) -> tuple[int, bytes]:
        """The number and the bytes that a batch of `records` takes; 0 when they are not compressed."""
        if len(records) < BYTES_MIN:
            return 0, records
        compressed = self.compress(records)
        return (self.number, compressed) if len(compressed) < len(records) else (0, records)


def codec(compression: Compression) -> Codec | None:
    """A new codec; its state is made once, for that costs more than a small batch."""
    if compression == "zstd":
        return Codec(4, zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress)
    return Codec(3, _lz4) if compression == "lz4" else None


def _lz4(data: bytes) -> bytes:
    """A frame whose blocks stand alone: Kafka reads no other (KIP-57)."""
    compressor = cramjam.lz4.Compressor(level=LZ4_LEVEL, content_checksum=False, block_linked=False)
    compressor.compress(data)
    return bytes(compressor.finish())
