"""Who is behind, learnt from Kafka: while it fails it is asked again, over a connection made anew."""

from typing import Any

import pytest

from contracts.encoding.recordbatch import encode_headers, new_record
from contracts.topics import DELIVERIES_RETRY
from processors.consume.step import Transient
from processors.deliver.kept import learn, read_places
from processors.deliver.places import Places
from processors.deliver.reader import Reader
from tests.fakes.delivering import FakeLog, FakeTopics


class Unsteady(FakeLog):
    """Cannot be reached `refused` times; knows how often it was connected and disconnected."""

    refused = connected = disconnected = 0

    async def start(self) -> None:
        """See `Source`."""
        if self.refused:
            self.refused -= 1
            raise Transient("Kafka is away")
        self.connected += 1

    async def stop(self) -> None:
        """See `Source`."""
        self.disconnected += 1


@pytest.fixture
def topics() -> FakeTopics:
    return FakeTopics()


@pytest.fixture
def log(topics: FakeTopics) -> Unsteady:
    log = Unsteady(topics, {0: [], 1: [], 2: [], 3: []})
    log.committed_offsets = {1: 7}
    return log


async def test_it_is_asked_again_until_kafka_answers(topics: FakeTopics, log: Unsteady) -> None:
    taken: Any = topics
    places = Places(taken)
    places.assigned({1})
    log.refused, log.failing = 2, 1
    assert await learn(Reader(lambda: log), places, 0.0) == 1 / 4
    assert places.known
    assert (log.connected, log.disconnected) == (2, 3)  # what failed is not used again


async def test_who_loses_the_partitions_meanwhile_learns_nothing(
    topics: FakeTopics, log: Unsteady
) -> None:
    taken: Any = topics
    places = Places(taken)
    places.assigned({1})

    class Leaving(Unsteady):
        async def start(self) -> None:
            places.assigned(set())

    leaving = Leaving(topics, log.events)
    assert await learn(Reader(lambda: leaving), places, 0.0) is None


async def test_a_place_that_nobody_can_read_costs_itself_alone(
    topics: FakeTopics, log: Unsteady, caplog: pytest.LogCaptureFixture
) -> None:
    for key, value in ((b"acme", b"{"), (b"acme:one:0", b"no json")):
        topics.append(DELIVERIES_RETRY, new_record(key, value, encode_headers([]), 0))
    assert await read_places(log) == {}
    assert caplog.text.count("is passed over: ") == 2
