"""Ends a process whose consumer is stuck, so that its supervisor starts a fresh one.

aiokafka consumers can stop moving after a broker's restart and give no sign (aiokafka issues 712,
718, 847): assigned, records waiting, nothing fetched. It counts looks that saw records wait, not the
time since the last batch: a quiet system has not handled any for hours when the next record comes,
and a process that slept has not been looked at.
"""

import asyncio
import logging

from aiokafka.errors import KafkaError

from processors.consume.consume import Consume

log = logging.getLogger(__name__)

ASK_TIMEOUT_S = 10.0
LOOKS = 4
"""Waits between looks in a row, all with records waiting and no batch, that make it stuck."""


class StuckConsumer(Exception):
    """The consumer has records to fetch and has not moved for too long."""


async def watch(consume: Consume, stuck_after_s: float) -> None:
    """Set `consume.failure` when the consumer is stuck; runs until it is cancelled."""
    looks, batches = 0, -1
    while looks <= LOOKS:
        await asyncio.sleep(stuck_after_s / LOOKS)
        if batches != consume.batches:
            looks, batches = 0, consume.batches
        looks = looks + 1 if not consume.at_work and await _lags(consume) else 0
    consume.fail(StuckConsumer(f"records wait and none came for {stuck_after_s:g} s"))


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
