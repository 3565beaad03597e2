"""The log read outside a group, on a real broker: what nobody reads is not asked for."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from processors.consume.replay import Log
from service.connections import KafkaConnection
from tests.stack import Stack
from tests.topics import a_topic

COUNT = 30


@pytest.fixture
def kafka(stack: Stack) -> KafkaConnection:
    return KafkaConnection(bootstrap_servers=stack.status["kafka"])


@pytest.fixture
async def topic(kafka: KafkaConnection) -> AsyncIterator[str]:
    """A topic with records."""
    async with a_topic(kafka, 1) as name:
        async with AIOKafkaProducer(**kafka.client_args()) as producer:
            for number in range(COUNT):
                await producer.send_and_wait(name, b"%d" % number, partition=0)
        yield name


async def next_of(reading: AsyncGenerator[list[Any], None]) -> list[int]:
    return [record.offset for record in await anext(reading)]


async def test_between_two_readings_nothing_is_fetched(kafka: KafkaConnection, topic: str) -> None:
    """Else the one who reads seldom, as a router does, would ask a broker fifty times a second."""
    source = TopicPartition(topic, 0)
    async with Log.connected(kafka) as log:
        reading = log.read(topic, 0, 0, COUNT, 10)
        assert await next_of(reading) == list(range(10))
        assert log._consumer.paused() == set()
        await reading.aclose()
        assert log._consumer.paused() == {source}
        rest = [each.offset async for batch in log.read(topic, 0, 10, COUNT, 7) for each in batch]
        assert rest == list(range(10, COUNT))
        assert log._consumer.paused() == {source}


async def test_a_reading_that_was_left_does_not_stop_the_next(
    kafka: KafkaConnection, topic: str
) -> None:
    async with Log.connected(kafka) as log:
        left, going_on = (log.read(topic, 0, first, COUNT, 10) for first in (0, 10))
        assert await next_of(left) == list(range(10))
        assert await next_of(going_on) == list(range(10, 20))
        await left.aclose()  # as it is when the loop gets round to it
        assert log._consumer.paused() == set()
        assert await next_of(going_on) == list(range(20, COUNT))
        await going_on.aclose()
