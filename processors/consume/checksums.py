"""Checks what Kafka gives by CRC-32C, with the CPU's own instruction, and decompresses zstd.

aiokafka looks every byte up in a table, which is the dearest part of reading a batch; here the same
checksum costs a twentieth. It also makes all of zstd's state for each batch, here it is kept.
`fetch_with_checksums` puts this in place of aiokafka's own, for which aiokafka has no setting, so its
version is pinned and a test reads batches, damaged ones too, through its code.
"""

import sys
from typing import Any

import crc32c
import zstandard
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from contracts.encoding.recordbatch import BATCH_HEAD, LENGTH_STARTS, MAGIC

BATCHES = sys.modules[DefaultRecordBatch.__module__]
"""Where aiokafka looks its decompression up: in Cython, or in Python."""


class CheckedRecords:
    """Record batches in `data`, an answer's for one partition, as `fetcher.PartitionRecords` reads them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._records = MemoryRecords(data)

    def has_next(self) -> bool:
        """Whether there is another whole batch."""
        return bool(self._records.has_next())

    def size_in_bytes(self) -> int:
        """Of all batches, the last perhaps cut off."""
        return len(self._data)

    def next_batch(self) -> Any:
        """The next batch. Raises `CorruptRecordException` when its bytes are not those written."""
        batch = self._records.next_batch()
        _, length, _, magic, crc = BATCH_HEAD.unpack_from(self._data, self._at)
        begin, self._at = self._at, self._at + LENGTH_STARTS + length
        if magic < MAGIC:
            raise CorruptRecordException(f"a record batch of format {magic}, not {MAGIC}")
        if crc32c.crc32c(memoryview(self._data)[begin + BATCH_HEAD.size : self._at]) != crc:
            raise CorruptRecordException("a record batch is damaged: its CRC-32C does not fit")
        return batch


def fetch_with_checksums() -> None:
    """Have every consumer of this process read so, on one thread; give it check_crcs=False."""
    fetcher.MemoryRecords = CheckedRecords
    decompressor = zstandard.ZstdDecompressor()

    def decode(records: bytes) -> bytes:
        return decompressor.decompressobj(read_across_frames=True).decompress(records)

    vars(BATCHES)["zstd_decode"] = decode
