"""Parks records that cannot be handled on a topic of their own, with cause and origin, awaited.

Value = the original bytes, key = the original key, headers = the original ones and `reason`,
`source_topic`, `source_topic_id` (KIP-516), `source_partition`, `source_offset`. A repeat after a
crash parks the same source position again: readers tell copies by it.
"""

import asyncio
import time
from collections.abc import Sequence

from contracts.encoding.recordbatch import Record, encode_headers, new_record
from processors.consume.step import Reject, Transient
from service.kafka.eventlog import EventLog
from service.kafka.partition import Unaccepted, Unacknowledged


async def park(log: EventLog, topic: str, rejects: Sequence[Reject]) -> None:
    """Return when Kafka has all of `rejects` on `topic`. Raises `Transient` when it does not."""
    await keep(log, topic, [_parked(reject) for reject in rejects])


async def keep(log: EventLog, topic: str, records: Sequence[Record]) -> None:
    """Return when Kafka has all of `records` on `topic`. Raises `Transient` when it does not."""
    try:
        await asyncio.gather(*[log.append(topic, record) for record in records])
    except (Unaccepted, Unacknowledged) as error:
        raise Transient(f"{topic} does not take what is refused: {error}") from error


def _parked(reject: Reject) -> Record:
    record = reject.record
    origin = [
        ("reason", reject.reason.encode()),
        ("source_topic", record.topic.encode()),
        *([("source_topic_id", str(reject.log).encode())] if reject.log else []),
        ("source_partition", str(record.partition).encode()),
        ("source_offset", str(record.offset).encode()),
    ]
    headers = encode_headers([*record.headers, *origin])
    return new_record(record.key or b"", record.value, headers, time.time_ns() // 1_000_000)
