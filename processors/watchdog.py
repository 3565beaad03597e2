"""Ends a process whose consumer is stuck, so that its supervisor starts a fresh one.

aiokafka consumers can stop moving after a broker's restart and give no sign (aiokafka issues 712,
718, 847): assigned, records waiting, nothing fetched.
"""

import asyncio
import logging
import time

from aiokafka.errors import KafkaError

from processors.consume import Consume

log = logging.getLogger(__name__)

ASK_TIMEOUT_S = 10.0


class StuckConsumer(Exception):
    """The consumer has records to fetch and has not moved for too long."""


async def watch(consume: Consume, stuck_after_s: float) -> None:
    """Set `consume.failure` when the consumer is stuck; runs until it is cancelled."""
    while True:
        await asyncio.sleep(stuck_after_s / 4)
        idle_s = time.monotonic() - consume.moved_s
        if idle_s > stuck_after_s and not consume.at_work and await _lags(consume):
            consume.fail(StuckConsumer(f"records wait and none came for {idle_s:.0f} s"))
            return


async def _lags(consume: Consume) -> bool:
    consumer = consume.consumer
    if consumer is None or not consumer.assignment():
        return False
    try:
        async with asyncio.timeout(ASK_TIMEOUT_S):
            ends = await consumer.end_offsets(consumer.assignment())
            return any([await consumer.position(tp) < end for tp, end in ends.items()])
    except (KafkaError, TimeoutError) as error:
        log.warning("Kafka is away: %r", error)  # not stuck: there is nobody to fetch from
        return False
