"""What a cluster goes through while events are posted: each acknowledged one is in the log once.

The short form, in `make test`, is a leader killed that comes back elsewhere, one frozen, partitions
grown and TLS with SCRAM; the long one, in `make test-faults`, has Kafka's default session and all the rest.
"""

import random
import time

import pytest

from tests.cluster.brokers import NODES, Brokers
from tests.cluster.conftest import long_form
from tests.cluster.load import Load, load
from tests.cluster.topic import Topic, until

only_long = pytest.mark.skipif(not long_form(), reason="the long form: make test-faults")
PARTITIONS = 6


async def test_a_leader_killed_or_frozen_costs_its_election_and_no_post(brokers: Brokers) -> None:
    """The killed one comes back, at last at another address: where it is found when one is frozen."""
    topic = await Topic.create(brokers, PARTITIONS)
    async with load(brokers.connection(), topic) as posting:
        for left in reversed(range(5 if long_form() else 1)):
            broker = brokers.by_node[await topic.leader()]
            await broker.kill()
            await elected(topic, broker.node, posting)
            if not left:
                brokers.move(broker.node)
            broker.start()
            await until(topic.whole)
        broker = brokers.by_node[await topic.leader()]
        broker.freeze()
        try:
            await elected(topic, broker.node, posting)
        finally:
            broker.thaw()
        await until(topic.whole)
    assert not posting.unknown | posting.unstored


async def elected(topic: Topic, node: int, posting: Load) -> None:
    """Return when all that `node` led is led by others, and takes records."""
    began_s = time.monotonic()
    await until(lambda: topic.led_by_others(node))
    elected_s = time.monotonic()
    await posting.all_partitions()
    took_s = time.monotonic() - elected_s
    print(f"\n  elected after {elected_s - began_s:.1f} s, all take records {took_s:.1f} s later")


async def test_partitions_that_are_added_are_used(brokers: Brokers) -> None:
    topic = await Topic.create(brokers, PARTITIONS)
    async with load(brokers.connection(), topic) as posting:
        await topic.grow(2 * PARTITIONS)
        began_s = time.monotonic()
        await until(lambda: posting.uses(2 * PARTITIONS))
        print(f"\n  noticed after {time.monotonic() - began_s:.1f} s")
        await posting.all_partitions()
    assert not posting.unknown | posting.unstored


async def test_through_tls_and_scram(brokers: Brokers) -> None:
    topic = await Topic.create(brokers, PARTITIONS)
    async with load(brokers.secure_connection(), topic) as posting:
        if long_form():
            broker = brokers.by_node[await topic.leader()]
            await broker.kill()
            await elected(topic, broker.node, posting)
            broker.start()
            await until(topic.whole)
    assert not posting.unknown | posting.unstored


@only_long
async def test_with_two_of_three_away_nothing_is_acknowledged_and_nothing_lost(
    brokers: Brokers,
) -> None:
    topic = await Topic.create(brokers, PARTITIONS)
    async with load(brokers.connection(), topic) as posting:
        away = [brokers.by_node[node] for node in random.sample(NODES, 2)]
        for broker in away:
            await broker.kill()
        await until(posting.refused)
        assert not posting.log.ready
        assert len(posting.log.stalled_partitions) >= PARTITIONS / 2
        for broker in away:
            broker.start()
        await until(topic.whole)
        await posting.all_partitions()
        assert posting.log.ready
        assert not posting.log.stalled_partitions


@only_long
async def test_a_rolling_restart_costs_no_post(brokers: Brokers) -> None:
    topic = await Topic.create(brokers, PARTITIONS)
    async with load(brokers.connection(), topic) as posting:
        for broker in brokers.by_node.values():
            await broker.stop()
            broker.start()
            await until(topic.whole)
    assert not posting.unknown | posting.unstored
