"""Read the topic `events` with a consumer group of your own: one JSON line for each event.

    python examples/consume.py [--group NAME] [--start latest] [--tenant acme] [--limit 10]

The same NAME goes on where it ended. docs/how-to/consume-kafka.md says what each step is for.
"""

import argparse
import asyncio
import json
import os
import sys

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError

options = argparse.ArgumentParser()
options.add_argument(
    "--kafka", default=os.environ.get("EVENTS_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:8804")
)
options.add_argument("--group", default="examples.consume")
options.add_argument("--start", choices=["earliest", "latest"], default="earliest")
options.add_argument("--tenant", help="all that the topic holds when left out")
options.add_argument("--limit", type=int, default=sys.maxsize, help="end after so many lines")
arguments = options.parse_args()
SEEN_MAX = 100_000  # yours: a unique key (tenant, id) where your work ends up
seen: dict[tuple[str, str], bool] = {}  # whether it is erased


def work(record: ConsumerRecord) -> bool:
    """Print the record unless it is a repeat, another tenant's or nothing that we know."""
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    erased = record.value is None  # a tombstone: forget the event that it names, for good
    names = "ce_erasedid" if erased and "ce_erasedid" in headers else "ce_id"
    tenant, event_id = headers.get("ce_tenant", ""), headers.get(names, "")
    known = erased or headers.get("ce_type", "").startswith("events.v1.")
    if not (known and tenant and event_id) or arguments.tenant not in (None, tenant):
        return False
    before = seen.get((tenant, event_id))
    if before or before is erased:  # what is erased stays so; everything else is done once
        return False
    if len(seen) == SEEN_MAX:
        del seen[next(iter(seen))]  # the oldest
    seen[tenant, event_id] = erased
    event = None if erased else json.loads(record.value)
    print(json.dumps({"tenant": tenant, "id": event_id, "event": event}), flush=True)  # noqa: T201
    return True


async def main() -> None:
    """Work first, commit afterwards: a crash in between repeats records and loses none."""
    consumer = AIOKafkaConsumer(
        "events",
        bootstrap_servers=arguments.kafka,
        group_id=arguments.group,
        auto_offset_reset=arguments.start,  # only where the group has committed nothing
        enable_auto_commit=False,
        max_partition_fetch_bytes=2 * 1024 * 1024,  # the topic's largest batch
        metadata_max_age_ms=10_000,  # how soon a new partition is noticed
    )
    left = arguments.limit
    async with consumer:
        while left:
            done: dict[TopicPartition, int] = {}
            for partition, records in (await consumer.getmany(timeout_ms=1000)).items():
                for record in records:
                    if left:
                        left -= work(record)
                        done[partition] = record.offset + 1  # the next one to read
            if done:
                await asyncio.wait_for(consumer.commit(done), timeout=30)


try:
    asyncio.run(main())
except KafkaConnectionError as error:
    sys.exit(f"{error} Is the stack up? events status")
