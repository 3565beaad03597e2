"""The table of subscriptions on a real broker: what was there at the call is in it, without a long wait."""

import asyncio
import time
import uuid

from contracts.encoding.recordbatch import Record, encode_headers, new_record
from contracts.subscriptions import Subscription, subscription_key
from contracts.topics import SUBSCRIPTIONS
from service.connections import KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.follow import POLL_MS, SubscriptionsFollower
from service.kafka.partition import QueueLimits
from tests.queues import arn
from tests.stack import Stack

CALLS = 40
WITHIN_S = 60.0


async def test_who_catches_up_sees_what_was_written_before_and_waits_for_no_poll(
    stack: Stack, tenant: str
) -> None:
    connection = KafkaConnection(bootstrap_servers=stack.status["kafka"])

    async def check() -> float:
        log = EventLog(connection, (SUBSCRIPTIONS,), QueueLimits(1 << 20, 5))
        follower = SubscriptionsFollower(connection)
        await log.start()
        await follower.start()
        try:
            async with asyncio.timeout(WITHIN_S):
                while not (log.ready and follower.ready):
                    await asyncio.sleep(0.02)
                for _ in range(5):
                    made = a_subscription()
                    await log.append(SUBSCRIPTIONS, record_of(tenant, made))
                    assert await follower.catch_up(WITHIN_S)
                    assert follower.table.get(tenant, made.id) == made
                began_s = time.monotonic()
                for _ in range(CALLS):  # nothing new: the reader's fetch waits at the broker
                    assert await follower.catch_up(WITHIN_S)
                return time.monotonic() - began_s
        finally:
            await follower.stop()
            await log.stop()

    assert await check() < CALLS * POLL_MS / 1000 / 2


def a_subscription() -> Subscription:
    body = {"name": "n", "filter": {}, "destination": {"type": "sqs", "arn": arn("q")}}
    return Subscription.model_validate(body | {"id": str(uuid.uuid4()), "labels": {}})


def record_of(tenant: str, subscription: Subscription) -> Record:
    key, value = subscription_key(tenant, subscription.id), subscription.represent()
    return new_record(key, value, encode_headers(()), time.time_ns() // 1_000_000)
