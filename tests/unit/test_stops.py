"""Disabled and paused: the position stays; from there it goes on, or what lies between is cancelled."""

import asyncio
import itertools
import random
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from contracts import subscription_table
from contracts.encoding.recordbatch import new_record
from contracts.pauses import Missed, Start
from contracts.subscription_table import Subscriptions
from contracts.topics import DELIVERIES, DELIVERIES_RETRY, EVENTS
from processors.consume.step import LogRecord, Transient
from processors.deliver import breaker, lanes
from processors.deliver.kept import kept
from processors.deliver.place import Behind, Place, read_place, written
from tests.fakes.delivering import FakeQueues, FakeTopics, RouterInMemory
from tests.queues import arn
from tests.records import consumed
from tests.unit.test_deliver import a_subscription
from tests.unit.test_lanes import failing, log_of, refusing, table_of

ONE = a_subscription(arn("q"), id="one")
ONE_LANE = ("acme", "one")
DENIED: Any = ("not_now", "AccessDenied")
_numbers = itertools.count()


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause is long."""
    monkeypatch.setattr(lanes, "IDLE_S", 0.001)
    monkeypatch.setattr(lanes, "AGAIN_S", 0.001)
    monkeypatch.setattr(breaker, "FIRST_PAUSE_S", 0.001)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.001)


def change(table: Subscriptions, **members: Any) -> None:
    """As the API does it."""
    found = table.get("acme", "one")
    assert found is not None
    kept_by_service = {"inactive": None, "paused": None}
    changed = ONE.model_copy(update={"started": found.started} | kept_by_service | members)
    table.apply(b"acme:one", changed.model_dump_json(exclude_none=True).encode())


def disable(table: Subscriptions) -> None:
    change(table, enabled=False)


def enable(table: Subscriptions, missed: Missed) -> None:
    change(table, enabled=True, started=Start(at=str(next(_numbers)), missed=missed))


def cancelled(topics: FakeTopics, partition: int = 0) -> set[int]:
    return {
        offset
        for each in topics.attempts
        if each.state == "cancelled" and each.partition == partition
        for offset in range(each.offset, each.until)
    }


async def test_what_failed_and_what_came_meanwhile_is_sent_once_it_catches_up() -> None:
    queues, table = FakeQueues(failing(3, 4)), table_of(ONE)
    async with RouterInMemory(queues, table, log_of(30)) as router:
        await router.step(0, 0, 10)
        disable(table)
        await router.step(0, 10, 20)
        queues.script = None
        calls = len(queues.calls)
        await router.caught_up()
        assert len(queues.calls) == calls  # nothing is sent
        assert router.places.behind[Place("acme", "one", 0)][:2] == (10, {3: 1, 4: 1})
        enable(table, "catch_up")
        await router.step(0, 20, 30)
        await router.caught_up()
    assert sorted(queues.offsets("q")) == [(0, n) for n in range(30)]
    assert not cancelled(router.topics)


async def test_what_it_had_missed_is_cancelled_when_it_skips_and_what_comes_then_is_sent() -> None:
    queues, table = FakeQueues(failing(3, 4)), table_of(ONE)
    async with RouterInMemory(queues, table, log_of(30)) as router:
        await router.step(0, 0, 10)
        disable(table)
        await router.step(0, 10, 20)
        enable(table, "skip")
        queues.script = None
        await router.step(0, 20, 30)
        await router.caught_up()
    sent = {offset for _, offset in queues.offsets("q")}
    assert sent == {*range(30)} - {3, 4, *range(10, 20)}
    assert cancelled(router.topics) == {3, 4, *range(10, 20)}
    [reason] = {each.message for each in router.topics.attempts if each.state == "cancelled"}
    assert "skipped" in reason


async def test_it_goes_on_though_nothing_comes_any_more() -> None:
    queues, table = FakeQueues(), table_of(ONE)
    async with RouterInMemory(queues, table, log_of(10)) as router:
        disable(table)
        await router.step(0, 0, 10)
        enable(table, "catch_up")
        await router.caught_up()
    assert queues.offsets("q") == [(0, n) for n in range(10)]


async def test_a_position_survives_a_restart_and_being_enabled_while_nobody_routes() -> None:
    queues, table, topics, events = FakeQueues(), table_of(ONE), FakeTopics(), log_of(30, 2)
    async with RouterInMemory(queues, table, events, topics) as router:
        await router.step(0, 0, 10)
        disable(table)
        await router.step(0, 10, 20)
    enable(table, "catch_up")
    again = RouterInMemory(queues, table, events, topics)
    again.log.committed_offsets = dict(router.log.committed_offsets)
    async with again:
        await again.step(0, 20, 30)
        await again.step(1, 0, 30)
        await again.caught_up()
    wanted = [(0, n) for n in range(30)] + [(1, n) for n in range(30)]
    assert sorted(queues.offsets("q")) == wanted


async def test_who_was_disabled_while_nobody_routed_is_at_what_was_routed() -> None:
    queues, table, topics, events = FakeQueues(), table_of(ONE), FakeTopics(), log_of(30)
    disable(table)
    made = RouterInMemory(queues, table, events, topics)
    made.log.committed_offsets = {0: 10}
    async with made:
        await made.step(0, 10, 20)
        enable(table, "catch_up")
        await made.caught_up()
    assert queues.offsets("q") == [(0, n) for n in range(10, 20)]


async def test_a_position_is_kept_before_its_batch_is_committed() -> None:
    queues, table, topics = FakeQueues(), table_of(ONE), FakeTopics()
    disable(table)
    async with RouterInMemory(queues, table, log_of(10), topics) as router:
        topics.away.add(DELIVERIES_RETRY)
        with pytest.raises(Transient):
            await router.step(0, 0, 10)
        topics.away.clear()
        await router.step(0, 0, 10)
        found, _, _ = await kept(router.router.reader)
    assert found[Place("acme", "one", 0)].next_offset == 0


async def test_a_batch_that_failed_and_comes_again_is_missed_as_a_whole() -> None:
    """Its subscription was disabled between the two tries: what the first did not settle is not lost."""
    queues, table = FakeQueues(), table_of(ONE)
    async with RouterInMemory(queues, table, log_of(10)) as router:
        router.topics.away.add(DELIVERIES)
        with pytest.raises(Transient):
            await router.step(0, 0, 10)
        disable(table)
        await asyncio.sleep(0.01)
        router.topics.away.clear()
        await router.step(0, 0, 10)
        enable(table, "catch_up")
        await router.caught_up()
    assert {offset for _, offset in queues.offsets("q")} == {*range(10)}


async def test_what_is_owed_is_owed_from_the_start_on() -> None:
    queues, table = FakeQueues(refusing("again")), table_of(ONE)
    long_ago = log_of(10, received_ms=1)
    async with RouterInMemory(queues, table, long_ago, retry_for_s=0.3) as router:
        disable(table)
        await router.step(0, 0, 10)
        await asyncio.sleep(0.4)
        enable(table, "catch_up")
        await until(lambda: queues.calls)
        queues.script = None
        await router.caught_up()
    assert not router.topics.dead
    assert sorted(queues.offsets("q")) == [(0, n) for n in range(10)]


async def test_a_pause_keeps_the_position_in_all_partitions() -> None:
    queues, table = FakeQueues(refusing(*DENIED)), table_of(ONE)
    async with RouterInMemory(queues, table, log_of(20, 2), pause_after_s=0.001) as router:
        await router.step(0, 0, 10)
        await until(lambda: table.paused)
        await router.step(0, 10, 20)
        await router.step(1, 0, 20)
        queues.script = None
        await asyncio.sleep(0.01)
        assert not queues.sent["q"]
        enable(table, "catch_up")
        await router.caught_up()
        assert not table.paused
    assert sorted(queues.offsets("q")) == [(p, n) for p in (0, 1) for n in range(20)]
    assert not cancelled(router.topics)


async def test_who_is_deleted_while_it_is_disabled_has_what_waits_cancelled() -> None:
    queues, table = FakeQueues(refusing("again")), table_of(ONE)
    async with RouterInMemory(queues, table, log_of(20)) as router:
        await router.step(0, 0, 10)
        disable(table)
        await router.step(0, 10, 20)
        await router.caught_up()
        table.apply(b"acme:one", None)
        await until(lambda: not router.places.behind)
    assert cancelled(router.topics) == {*range(20)}
    assert not queues.sent["q"]


async def test_a_turn_that_is_under_way_does_not_undo_what_was_said_meanwhile() -> None:
    """It began before; the queue answers after the subscription was disabled and enabled to skip."""
    queues, table = FakeQueues(refusing("again")), table_of(ONE)
    async with RouterInMemory(queues, table, log_of(30)) as router:
        await router.step(0, 0, 10)
        queues.gate["q"] = asyncio.Event()
        calls = len(queues.calls)
        await until(lambda: len(queues.calls) > calls)
        disable(table)
        await router.step(0, 10, 20)
        enable(table, "skip")
        await router.step(0, 20, 30)
        queues.script = None
        queues.gate["q"].set()
        await router.caught_up()
    sent = {offset for _, offset in queues.offsets("q")}
    assert sent | cancelled(router.topics) == {*range(30)}
    assert sent >= {*range(20, 30)}
    assert cancelled(router.topics) >= {*range(10, 20)}


async def test_who_is_disabled_while_its_turn_reads_the_log_keeps_what_it_reads() -> None:
    """The log is matched by the table of after the read, which does not have it any more."""
    queues, table = FakeQueues(refusing("again")), table_of(ONE)
    async with RouterInMemory(queues, table, log_of(300)) as router:
        await router.step(0, 0, 300)
        await until(lambda: router.places.behind)
        reads, disabled = router.log.read, False

        async def read(topic: str, *args: int) -> AsyncGenerator[list[LogRecord], None]:
            nonlocal disabled
            if topic == EVENTS and not disabled:
                disabled = True
                disable(table)
            async for some in reads(topic, *args):
                yield some

        router.log.read = read  # type: ignore[method-assign, assignment]
        await until(lambda: disabled)
        await router.lanes.rest()  # the turn ends
        assert router.places.behind[Place("acme", "one", 0)].first == 0
        router.route.assigned([0])
        queues.script = None
        enable(table, "catch_up")
        await until(lambda: router.places.known)
        await router.caught_up()
    assert {offset for _, offset in queues.offsets("q")} == {*range(300)}
    assert not cancelled(router.topics)


@pytest.mark.parametrize("ends", ["killed", "unrecorded"])
async def test_who_is_disabled_while_the_router_waits_for_it_owes_what_is_under_way(
    ends: str,
) -> None:
    """Its batch is committed; then its call ends in a kill, or the ledger does not take what came of it."""
    queues, table, topics, events = FakeQueues(), table_of(ONE), FakeTopics(), log_of(30)
    queues.gate["q"] = asyncio.Event()
    async with RouterInMemory(queues, table, events, topics) as router:
        stepping = asyncio.create_task(router.step(0, 0, 30))
        await until(lambda: queues.calls)
        disable(table)
        await stepping
        assert router.places.behind[Place("acme", "one", 0)].first == 0
        if ends == "unrecorded":
            topics.away.add(DELIVERIES)
            queues.script = refusing("again")
            queues.gate["q"].set()
            await until(lambda: not router.lanes.of(ONE_LANE).lock.locked())
            topics.away.clear()
    queues.gate.clear()
    queues.script = None
    enable(table, "catch_up")
    again = RouterInMemory(queues, table, events, topics)
    again.log.committed_offsets = dict(router.log.committed_offsets)
    async with again:
        await until(lambda: again.places.known)
        await again.caught_up()
    assert {offset for _, offset in queues.offsets("q")} == {*range(30)}


async def test_a_batch_that_failed_is_owed_by_who_was_disabled_and_enabled_before_the_next_try() -> (
    None
):
    """Its queue is slow, so its place stays, and the next try leaves it out."""
    queues, table = FakeQueues(refusing("again")), table_of(ONE)
    async with RouterInMemory(queues, table, log_of(30)) as router:
        router.topics.away.add(DELIVERIES)
        with pytest.raises(Transient):
            await router.step(0, 0, 30)
        router.topics.away.clear()
        disable(table)
        await until(lambda: router.places.behind)
        router.lanes.of(ONE_LANE).answered(60)
        queues.script = None
        enable(table, "catch_up")
        await router.step(0, 0, 30)
        await until(lambda: len(queues.sent["q"]) >= 30)
    assert {offset for _, offset in queues.offsets("q")} == {*range(30)}


async def test_a_batch_that_fails_is_owed_by_who_was_disabled_and_enabled_during_the_try() -> None:
    """Its part has failed, and the router still waits for another's."""
    two = a_subscription(arn("slow"), id="two")
    queues, table = FakeQueues(), table_of(ONE, two)
    queues.gate["slow"] = asyncio.Event()
    async with RouterInMemory(queues, table, log_of(30)) as router:
        its = router.lanes.of(ONE_LANE)
        router.topics.away.add(DELIVERIES)
        queues.script = refusing("again")
        stepping = asyncio.create_task(router.step(0, 0, 30))
        await until(lambda: its.unrecorded and not its.lock.locked())
        router.topics.away.clear()
        disable(table)
        await until(lambda: router.places.behind)
        its.answered(60)
        queues.script = None
        enable(table, "catch_up")
        queues.gate["slow"].set()
        with pytest.raises(Transient):
            await stepping
        await router.step(0, 0, 30)
        await until(lambda: len(queues.sent["q"]) >= 30)
    assert {offset for _, offset in queues.offsets("q")} == {*range(30)}


async def test_a_change_costs_its_own_subscription(monkeypatch: pytest.MonkeyPatch) -> None:
    """And where there were too many to be remembered, all; what was among them is seen."""
    monkeypatch.setattr(subscription_table, "CHANGES_KEPT", 20)
    others = [a_subscription(arn("q"), id=f"s{number}", enabled=False) for number in range(30)]
    queues, table = FakeQueues(), table_of(ONE, *others)
    async with RouterInMemory(queues, table, log_of(20, 2)) as router:
        places, asked = router.places, list[int]()
        await router.step(0, 0, 10)
        found = places.position

        def position(partition: int) -> int | None:
            asked.append(partition)
            return found(partition)

        monkeypatch.setattr(places, "position", position)
        disable(table)
        await until(lambda: Place("acme", "one", 0) in places.behind)
        assert sorted(asked) == [0, 1]
        enable(table, "catch_up")
        await until(lambda: not places.of(ONE_LANE))
        disable(table)
        for each in others:
            table.apply(f"acme:{each.id}".encode(), each.represent())
        await until(lambda: Place("acme", "one", 0) in places.behind)


async def test_nobody_serves_who_is_stopped() -> None:
    queues, table = FakeQueues(refusing("again")), table_of(ONE)
    async with RouterInMemory(queues, table, log_of(20, 3)) as router:
        await router.step(0, 0, 10)
        disable(table)
        await router.step(0, 10, 20)
        await router.caught_up()
        await until(lambda: not serving())
        router.places.wake(("acme", "one"))
        await until(lambda: not router.places.woken and not serving())


def serving() -> list[Any]:
    return [each for each in asyncio.all_tasks() if "_serve_behind" in repr(each.get_coro())]


def test_what_a_place_says_of_starts_is_read_again() -> None:
    place = Place("acme", "one", 3)
    state = Behind(9, {2: 1}, 5, 0, 0, "2026-01-31T12:00:00.000001Z", 7)
    value, headers = written(state, "me")
    read = read_place(consumed(new_record(place.key, value, headers, 5)))
    assert read == (place, state, "me", False)


@pytest.mark.parametrize("seed", range(60))
async def test_nothing_is_lost_whatever_comes_in_whichever_order(seed: int) -> None:
    await story(random.Random(seed), skips=False)


@pytest.mark.parametrize("seed", range(60))
async def test_what_is_skipped_is_told_and_nothing_else_is_lost(seed: int) -> None:
    await story(random.Random(seed), skips=True)


async def story(chance: random.Random, *, skips: bool) -> None:
    """Batches, stops, starts, failing queues and kills by chance; then all is well, and caught up."""
    events: Any = log_of(60, 2)
    queues, table, topics = FakeQueues(), table_of(ONE), FakeTopics()
    committed, after_start, started = {0: 0, 1: 0}, set[tuple[int, int]](), False
    while min(committed.values()) < 60:
        router = RouterInMemory(queues, table, events, topics)
        router.log.committed_offsets = dict(committed)
        async with router:
            for _ in range(chance.randint(1, 12)):
                do = chance.choice(["step", "step", "stop", "start", "fail", "well", "rest"])
                if do == "stop":
                    disable(table)
                    started = False
                    after_start.clear()
                elif do == "start" and table.stopped:
                    enable(table, chance.choice(["skip", "catch_up"]) if skips else "catch_up")
                    after_start.clear()
                    started = True
                elif do == "fail":
                    queues.script = failing(*chance.sample(range(60), 20))
                elif do == "well":
                    queues.script = None
                elif do == "rest":
                    await asyncio.sleep(chance.choice([0, 0.001, 0.003]))
                else:
                    number = chance.choice([0, 1])
                    first, end = (
                        committed[number],
                        min(60, committed[number] + chance.randint(1, 15)),
                    )
                    stepping = asyncio.create_task(router.step(number, first, end))
                    if chance.random() < 0.2:
                        await asyncio.sleep(0)
                        disable(table)
                    if chance.random() < 0.1:
                        await asyncio.sleep(0)
                        stepping.cancel()  # killed: neither committed nor told
                        await asyncio.wait({stepping})
                        break
                    await stepping
                    committed[number] = end
                    if started and not table.stopped:
                        after_start |= {(number, at) for at in range(first, end)}
    queues.script = None
    router = RouterInMemory(queues, table, events, topics)
    router.log.committed_offsets = dict(committed)
    async with router:
        if table.stopped:
            enable(table, "catch_up")
        await until(lambda: router.places.known)
        await router.caught_up()
    sent, gone = set(queues.offsets("q")), {(n, at) for n in (0, 1) for at in cancelled(topics, n)}
    assert sent | gone == {(number, at) for number in (0, 1) for at in range(60)}
    assert skips or not gone
    assert not gone & after_start
    assert not topics.dead
