"""Lanes: nobody waits for another, nothing is left out, what happened is told.

The router over parts in memory (tests/fakes/delivering.py); tests/faults has the real ones.
"""

import asyncio
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.deliveries import Delivery
from contracts.subscription_table import Subscriptions
from contracts.topics import DELIVERIES, DELIVERIES_DEAD
from processors.consume.step import Transient
from processors.deliver import breaker, lane, lanes, ranges
from processors.deliver.outcomes import Outcome
from processors.deliver.place import Behind, Place
from tests.builders import an_event, represented
from tests.fakes import FakeRecord
from tests.fakes.delivering import FakeQueues, FakeTopics, RouterInMemory
from tests.queues import arn
from tests.unit.test_deliver import a_subscription

ID = "01a20d33-994f-74a1-8936-e15ecec113da"
COUNT = 40
NOW_MS = time.time_ns() // 1_000_000
OLD_MS = NOW_MS - 2 * 24 * 3600 * 1000


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause is long."""
    monkeypatch.setattr(lanes, "IDLE_S", 0.001)
    monkeypatch.setattr(lanes, "AGAIN_S", 0.001)
    monkeypatch.setattr(breaker, "FIRST_PAUSE_S", 0.001)


def log_of(count: int, partitions: int = 1, received_ms: int = NOW_MS, entities: int = 5) -> Any:
    """Events by partition, each of some entity."""
    return {
        number: [
            FakeRecord(
                represented(an_event(entity_id=f"{number}-{at % entities}"), ID),
                number,
                at,
                timestamp=received_ms,
            )
            for at in range(count)
        ]
        for number in range(partitions)
    }


def table_of(*subscriptions: Any) -> Subscriptions:
    table = Subscriptions()
    for each in subscriptions:
        table.apply(f"acme:{each.id}".encode(), each.represent())
    return table


def failing(*offsets: int, state: Any = "again", code: str = "Some") -> Any:
    """A queue that does not take these offsets."""

    def script(batch: Sequence[Delivery]) -> list[Outcome]:
        return [
            Outcome(each, state, code) if each.position[1] in offsets else Outcome(each, "sent")
            for each in batch
        ]

    return script


def refusing(state: Any, code: str = "Some") -> Any:
    return lambda batch: [Outcome(each, state, code) for each in batch]


async def test_a_lane_that_hangs_holds_up_neither_the_batch_nor_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lane, "PATIENCE_S", 0.02)
    queues = FakeQueues()
    queues.gate["slow"] = asyncio.Event()
    table = table_of(a_subscription(arn("slow"), id="one"), a_subscription(arn("well"), id="two"))
    async with RouterInMemory(queues, table, log_of(COUNT)) as router:
        await router.step(0, 0, 20)
        assert router.places.behind[Place("acme", "one", 0)].next_offset == 0
        await router.step(0, 20, COUNT)
        assert queues.offsets("well") == [(0, n) for n in range(COUNT)]
        assert not queues.sent["slow"]
        queues.gate["slow"].set()
        await router.caught_up()
    assert queues.offsets("slow") == [(0, n) for n in range(COUNT)]
    states = Counter(each.state for each in router.topics.attempts)
    assert states["delivered"] == 2 * COUNT
    behind = [each for each in router.topics.attempts if each.state == "behind"]
    assert {each.subscription_id for each in behind} == {"one"}
    assert (behind[-1].offset, behind[-1].until) == (COUNT, COUNT)
    assert behind[-1].since > 0


async def test_single_messages_that_fail_are_tried_again_and_hold_up_no_others() -> None:
    queues = FakeQueues(failing(3, 7))
    table = table_of(a_subscription(arn("q"), id="one"))
    async with RouterInMemory(queues, table, log_of(COUNT)) as router:
        await router.step(0, 0, 20)
        place = Place("acme", "one", 0)
        assert router.places.behind[place][:2] == (20, {3: 1, 7: 1})
        await router.step(0, 20, COUNT)
        async with asyncio.timeout(60):
            while set(router.places.behind[place].stragglers) != {3, 7}:
                await asyncio.sleep(0.001)
            while len(queues.sent["q"]) < COUNT - 2:
                await asyncio.sleep(0.001)
        queues.script = None
        await router.caught_up()
    assert sorted(queues.offsets("q")) == [(0, n) for n in range(COUNT)]
    told = [each for each in router.topics.attempts if each.offset == 3 and each.event_id]
    assert [each.attempt for each in told] == list(range(1, len(told) + 1))
    assert [each.state for each in told] == ["failed"] * (len(told) - 1) + ["delivered"]


async def test_after_a_restart_stragglers_alone_are_sent_again_with_their_attempts() -> None:
    queues = FakeQueues(failing(3, 7))
    table, events = table_of(a_subscription(arn("q"), id="one")), log_of(COUNT)
    topics = FakeTopics()
    router = RouterInMemory(queues, table, events, topics)
    router.route.assigned({0})
    router.places.learn({}, {})
    await router.step(0, 0, COUNT)
    queues.script = None
    again = RouterInMemory(queues, table, events, topics)
    again.log.committed_offsets = router.log.committed_offsets
    async with again:
        async with asyncio.timeout(60):
            while len(queues.sent["q"]) < COUNT:
                await asyncio.sleep(0.001)
        await again.caught_up()
    assert Counter(queues.offsets("q")) == {(0, n): 1 for n in range(COUNT)}
    delivered = {each.offset: each.attempt for each in topics.attempts if each.state == "delivered"}
    assert delivered == {n: 2 if n in (3, 7) else 1 for n in range(COUNT)}


@pytest.mark.parametrize("state", ["again", "not_now"])
async def test_a_destination_that_takes_nothing_is_asked_with_one_message_until_it_does(
    state: Any,
) -> None:
    queues = FakeQueues(refusing(state, "AccessDenied"))
    table = table_of(a_subscription(arn("q"), id="one"))
    async with RouterInMemory(queues, table, log_of(COUNT)) as router:
        await router.step(0, 0, COUNT)
        async with asyncio.timeout(60):
            while len(queues.calls) < 12:
                await asyncio.sleep(0.001)
        assert set(queues.calls[4:]) == {1}
        assert router.lanes.open == 1
        queues.script = None
        await router.caught_up()
        assert router.lanes.open == 0
    assert sorted(queues.offsets("q")) == [(0, n) for n in range(COUNT)]
    told = router.topics.attempts
    [opened] = [each for each in told if each.state == "opened"]
    [closed] = [each for each in told if each.state == "closed"]
    assert (opened.code, opened.event_id, opened.destination) == ("AccessDenied", "", arn("q"))
    assert closed.at >= opened.at
    failed = [each for each in told if each.state == "failed"]
    assert bool(failed) is (state == "again")  # what is denied burns no attempts
    if state == "not_now":
        assert {each.attempt for each in told if each.state == "delivered"} == {1}


async def test_a_message_that_fails_for_ever_does_not_stand_for_its_queue() -> None:
    for name in ("q", "q.fifo"):
        queues = FakeQueues(failing(0))
        table = table_of(a_subscription(arn(name), id="one"))
        async with RouterInMemory(queues, table, log_of(1000)) as router:
            await router.step(0, 0, 1)
            async with asyncio.timeout(60):
                while router.lanes.open == 0:
                    await asyncio.sleep(0.001)
            await router.step(0, 1, 1000)
            held = {n for n in range(1000) if n % 5 == 0} if name == "q.fifo" else {0}
            async with asyncio.timeout(60):
                while len(set(queues.offsets(name))) < min(1000 - len(held), 400):
                    await asyncio.sleep(0.001)
            assert not held & {offset for _, offset in queues.offsets(name)}


async def test_what_was_owed_too_long_is_given_up_and_what_is_newer_is_not() -> None:
    events = log_of(30, received_ms=OLD_MS)
    events[0] += log_of(COUNT)[0][30:]
    queues = FakeQueues(refusing("not_now", "QueueDoesNotExist"))
    table = table_of(a_subscription(arn("q"), id="one"))
    async with RouterInMemory(queues, table, events) as router:
        router.places.learn({Place("acme", "one", 0): Behind(0, {}, OLD_MS)}, {0: COUNT})
        router.places.moved.set()
        async with asyncio.timeout(60):
            while len(router.topics.dead) < 30:
                await asyncio.sleep(0.001)
        queues.script = None
        await router.caught_up()
    assert sorted(queues.offsets("q")) == [(0, n) for n in range(30, COUNT)]
    headers = [dict(each.headers) for each in router.topics.dead]
    assert {each["exhausted"] for each in headers} == {b"not taken for 86400 s"}
    assert {each["error_code"] for each in headers} == {b"QueueDoesNotExist"}
    dead = [each for each in router.topics.attempts if each.state == "dead"]
    assert [each.offset for each in dead] == list(range(30))
    assert {each.exhausted for each in dead} == {"not taken for 86400 s"}


async def test_who_fell_behind_lately_is_owed_old_events_for_a_day() -> None:
    queues = FakeQueues(refusing("not_now"))
    table = table_of(a_subscription(arn("q"), id="one"))
    async with RouterInMemory(queues, table, log_of(COUNT, received_ms=OLD_MS)) as router:
        await router.step(0, 0, COUNT)
        async with asyncio.timeout(60):
            while len(queues.calls) < 20:
                await asyncio.sleep(0.001)
        assert not router.topics.dead


async def test_a_subscription_that_is_deleted_has_what_is_left_cancelled() -> None:
    queues = FakeQueues(failing(3, *range(20, 40)))
    table = table_of(a_subscription(arn("q"), id="one"))
    async with RouterInMemory(queues, table, log_of(COUNT)) as router:
        await router.step(0, 0, COUNT)
        table.apply(b"acme:one", None)
        await router.caught_up()
    told = {
        offset
        for each in router.topics.attempts
        if each.state == "cancelled"
        for offset in range(each.offset, each.until)
    }
    sent = {offset for _, offset in queues.offsets("q")}
    assert told >= {3, *range(20, 40)}
    assert told | sent == set(range(COUNT))


async def test_what_left_kafka_before_it_was_delivered_is_told() -> None:
    queues = FakeQueues(refusing("again"))
    table = table_of(a_subscription(arn("q"), id="one"))
    async with RouterInMemory(queues, table, log_of(COUNT)) as router:
        await router.step(0, 0, COUNT)
        router.log.kept_from = 10
        queues.script = None
        await router.caught_up()
    [lost] = [each for each in router.topics.attempts if each.exhausted]
    assert (lost.state, lost.offset, lost.until) == ("dead", 0, 10)
    assert sorted(queues.offsets("q")) == [(0, n) for n in range(10, COUNT)]


async def test_what_is_given_up_goes_to_the_customers_queue_first() -> None:
    delivery: Any = {"dead_letter": {"type": "sqs", "arn": arn("dead")}}
    subscription = a_subscription(arn("q"), id="one")
    table = table_of(subscription)
    document = subscription.document() | {"delivery": delivery}
    table.apply(b"acme:one", json.dumps(document).encode())
    queues = FakeQueues(failing(3, state="never", code="InvalidMessageContents"))
    queues.gate["dead"] = asyncio.Event()
    queues.gate["dead"].set()

    def script(batch: Sequence[Delivery]) -> list[Outcome]:
        if "error_code" in batch[0].attributes:
            return [Outcome(each, dead_letter, "x") for each in batch]
        return failing(3, state="never", code="InvalidMessageContents")(batch)  # type: ignore[no-any-return]

    dead_letter: Any = "again"
    queues.script = script
    async with RouterInMemory(queues, table, log_of(COUNT)) as router:
        await router.step(0, 0, COUNT)
        assert not router.topics.dead  # it waits for the customer's queue
        dead_letter = "sent"
        await router.caught_up()
    [letter] = queues.sent["dead"]
    assert letter.attributes["error_code"] == "InvalidMessageContents"
    assert int(letter.attributes["attempts"]) >= 1
    [record] = router.topics.dead
    assert dict(record.headers)["offset"] == b"3"


async def test_a_ledger_that_cannot_be_written_has_nothing_sent_twice() -> None:
    queues = FakeQueues()
    table = table_of(a_subscription(arn("q"), id="one"))
    async with RouterInMemory(queues, table, log_of(COUNT)) as router:
        router.topics.away.add(DELIVERIES)
        with pytest.raises(Transient):
            await router.step(0, 0, COUNT)
        router.topics.away.clear()
        await router.step(0, 0, COUNT)
    assert queues.offsets("q") == [(0, n) for n in range(COUNT)]
    assert [each.offset for each in router.topics.attempts] == list(range(COUNT))


async def test_what_was_sent_beside_a_message_that_cannot_be_given_up_is_not_sent_again() -> None:
    queues = FakeQueues(failing(3, state="never"))
    table = table_of(a_subscription(arn("q"), id="one"))
    async with RouterInMemory(queues, table, log_of(COUNT)) as router:
        router.topics.away.add(DELIVERIES_DEAD)
        with pytest.raises(Transient):
            await router.step(0, 0, COUNT)
        router.topics.away.clear()
        await router.step(0, 0, COUNT)
    assert Counter(queues.offsets("q")) == {(0, n): 1 for n in range(COUNT) if n != 3}
    assert len(router.topics.dead) == 1


async def test_a_rate_of_its_own_is_kept_and_the_rest_waits() -> None:
    subscription = a_subscription(arn("q"), id="one")
    document = subscription.document() | {"delivery": {"messages_per_s": 10}}
    table = table_of()
    table.apply(b"acme:one", json.dumps(document).encode())
    queues = FakeQueues()
    started_s = time.monotonic()
    async with RouterInMemory(queues, table, log_of(COUNT)) as router:
        await router.step(0, 0, 15)
        assert len(queues.sent["q"]) == 10
        await router.caught_up()
    assert queues.offsets("q") == [(0, n) for n in range(15)]
    assert time.monotonic() - started_s >= 0.5


async def test_a_bug_in_a_lane_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("bug")

    table = table_of(a_subscription(arn("q"), id="one"))
    router = RouterInMemory(FakeQueues(refusing("again")), table, log_of(COUNT))
    async with router:
        await router.step(0, 0, COUNT)
        monkeypatch.setattr(router.lanes._catch_up, "_plan", broken)
        with pytest.raises(ExceptionGroup) as raised:
            await router.caught_up()
        assert raised.group_contains(KeyError)
        router._running = asyncio.create_task(asyncio.sleep(60))


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.booleans(), st.integers(1, 3))
def test_everything_arrives_or_is_dead_whatever_fails_and_an_entity_keeps_its_order(
    seed: int, fifo: bool, partitions: int
) -> None:
    asyncio.run(_story(seed, fifo, partitions))


async def _story(seed: int, fifo: bool, partitions: int) -> None:
    """Random outcomes and restarts; then the queue is well, and everything has come to its end."""
    chance = random.Random(seed)
    name = "q.fifo" if fifo else "q"
    weights = [chance.random() for _ in range(5)]
    topics, events = FakeTopics(), log_of(60, partitions)
    refused = {(n, at) for n in events for at in range(60) if chance.random() < 0.02}
    well = False

    def script(batch: Sequence[Delivery]) -> list[Outcome]:
        whole = None if well else chance.choices(["again", "not_now", None], weights[:3])[0]
        outcomes = []
        for each in batch:
            state: Any = whole or (
                "again" if not well and chance.random() < weights[3] / 2 else "sent"
            )
            if state == "sent" and each.position in refused:
                state = "never"
            outcomes.append(Outcome(each, state, "Some"))
        return outcomes

    queues, committed = FakeQueues(script), dict.fromkeys(events, 0)
    table = table_of(a_subscription(arn(name), id="one"))
    starts = 0
    while any(committed[number] < 60 for number in events) or starts == 0:
        starts += 1
        router = RouterInMemory(queues, table, events, topics)
        router.log.committed_offsets = committed
        async with router:
            for _ in range(chance.randint(1, 4)):
                number = chance.choice(list(events))
                first = committed[number]
                if first < 60:
                    await router.step(number, first, min(60, first + chance.randint(1, 40)))
                await asyncio.sleep(chance.choice([0, 0.002]))
            if all(committed[number] == 60 for number in events):
                well = True
                await router.caught_up()
    sent = queues.offsets(name)
    dead = {
        (int(found["partition"] or b""), int(found["offset"] or b""))
        for found in (dict(each.headers) for each in topics.dead)
    }
    everything = {(number, at) for number in events for at in range(60)}
    assert set(sent) | dead == everything
    assert dead == refused
    if fifo:
        firsts = list(dict.fromkeys(sent))  # FIFO queues drop repeats
        by_entity = defaultdict(list)
        for number, at in firsts:
            by_entity[number, at % 5].append(at)
        assert all(each == sorted(each) for each in by_entity.values())
    settled = Counter(
        (each.partition, each.offset)
        for each in topics.attempts
        if each.state in ("delivered", "dead")
    )
    assert set(settled) == everything


async def test_killed_between_noting_who_is_behind_and_the_commit_sends_nothing_twice() -> None:
    queues = FakeQueues(failing(3))
    table, events, topics = (
        table_of(a_subscription(arn("q"), id="one")),
        log_of(COUNT),
        FakeTopics(),
    )
    router = RouterInMemory(queues, table, events, topics)
    router.route.assigned({0})
    router.places.learn({}, {})
    await router.route(events[0][:20])  # and no commit
    queues.script = None
    async with RouterInMemory(queues, table, events, topics) as again:
        await again.step(0, 0, 10)
        await asyncio.sleep(0.01)
        await again.step(0, 10, COUNT)
        await again.caught_up()
    assert Counter(queues.offsets("q")) == {(0, n): 1 for n in range(COUNT)}


async def test_a_lane_that_is_woken_as_its_task_ends_is_served() -> None:
    table = table_of(a_subscription(arn("q"), id="one"))
    router, key = RouterInMemory(FakeQueues(), table, log_of(COUNT)), ("acme", "one")
    router.route.assigned({0})
    ended = asyncio.create_task(asyncio.sleep(0))
    await ended
    router.lanes._behind[key] = ended
    router.places.put(Place(*key, 0), Behind(0, {}))
    router.places.woken.clear()  # as the loop did, while the task was still there
    router.lanes._ended(key, ended)
    assert router.places.woken == {key}


async def test_how_far_a_lane_is_behind_is_told_and_that_it_has_caught_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ranges, "TELL_EVERY_S", 0.0)
    queues = FakeQueues(refusing("not_now", "AccessDenied"))
    table = table_of(a_subscription(arn("q"), id="one"))
    async with RouterInMemory(queues, table, log_of(COUNT)) as router:
        for end in (20, COUNT):
            await router.step(0, end - 20, end)
            async with asyncio.timeout(60):
                while not (told := _behind(router)) or told[-1] != (0, end):
                    await asyncio.sleep(0.001)
        queues.script = None
        await router.caught_up()
        assert _behind(router)[-1] == (COUNT, COUNT)
        queues.script = refusing("again")
        router.log.events[0] += log_of(COUNT + 1)[0][COUNT:]
        await router.step(0, COUNT, COUNT + 1)
        async with asyncio.timeout(60):
            while _behind(router)[-1] != (COUNT, COUNT + 1):
                await asyncio.sleep(0.001)
        table.apply(b"acme:one", None)
        await router.caught_up()
    assert _behind(router)[-1] == (COUNT + 1, COUNT + 1)


def _behind(router: RouterInMemory) -> list[tuple[int, int]]:
    return [(each.offset, each.until) for each in router.topics.attempts if each.state == "behind"]
