"""Read the Kafka topic `events`: one JSON line per event, committed after it was handled.

    python examples/consume.py GROUP [LIMIT]

Kafka is the local one unless KAFKA_BOOTSTRAP_SERVERS says otherwise; see docs/consuming.md.
"""

import asyncio
import json
import os
import sys

from aiokafka import AIOKafkaConsumer, TopicPartition

GROUP, LIMIT = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None
SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:8804")


async def consume() -> None:
    """Handle records one by one until `LIMIT`."""
    consumer = AIOKafkaConsumer(
        "events", bootstrap_servers=SERVERS, group_id=GROUP, enable_auto_commit=False,
        auto_offset_reset="earliest",
    )  # fmt: skip
    async with consumer:
        handled = 0
        async for record in consumer:
            headers = dict(record.headers)
            if record.value is not None:  # later releases may write other records: pass them over
                event = json.loads(record.value)
                print(json.dumps({"tenant": headers["ce_tenant"].decode(), **event}))  # noqa: T201
            here = TopicPartition(record.topic, record.partition)
            await consumer.commit(
                {here: record.offset + 1}
            )  # a crash before this repeats the event
            handled += 1
            if handled == LIMIT:
                return


asyncio.run(consume())
