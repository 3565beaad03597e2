"""A record of ours as a consumer reads it."""

from typing import Any

from aiokafka.record.default_records import DefaultRecordBatch

from contracts.encoding.recordbatch import Record, encode_batch


def consumed(record: Record) -> Any:
    """Has aiokafka's `key`, `value` and `headers`."""
    batch = DefaultRecordBatch(bytearray(b"".join(encode_batch([record], 1, 0, 0))))
    return next(iter(batch))
