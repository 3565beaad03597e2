"""What may come between two awaits of a lane: batches, changes, rebalances, answers that are late.

Each of these lost, doubled or misreported something once.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from contracts.deliveries import Delivery
from contracts.delivery_settings import DeliverySettings
from contracts.encoding.recordbatch import Record, encode_headers, new_record
from contracts.pauses import Start
from contracts.topics import DELIVERIES, DELIVERIES_RETRY, EVENTS
from processors.consume.step import Transient
from processors.deliver import breaker, jobs, lane, lanes
from processors.deliver.dead_letters import DeadLetters
from processors.deliver.lane import Lane
from processors.deliver.ledger import Ledger
from processors.deliver.outcomes import Outcome
from processors.deliver.place import Behind, Place, written
from processors.deliver.sender import Sender
from processors.deliver.slots import Slots
from service.kafka.partition import Unaccepted
from tests.fakes.delivering import FakeQueues, FakeTopics, RouterInMemory
from tests.queues import arn
from tests.records import consumed
from tests.unit.test_deliver import a_subscription
from tests.unit.test_jobs import a_job, put, table_in, until_done
from tests.unit.test_lanes import OLD_MS, log_of, refusing, table_of

ONE = a_subscription(arn("q"), id="one", name="orders")


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause is long."""
    for module, name in (
        (lanes, "IDLE_S"),
        (lanes, "AGAIN_S"),
        (jobs, "LOOK_S"),
        (jobs, "AGAIN_S"),
    ):
        monkeypatch.setattr(module, name, 0.001)
    monkeypatch.setattr(breaker, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(lane, "PATIENCE_S", 0.02)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


class Gated(FakeTopics):
    """Whose topic `held` answers once the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.held = ""
        self.gate, self.entered = asyncio.Event(), asyncio.Event()

    def append(self, topic: str, record: Record) -> "asyncio.Future[int]":
        if topic != self.held:
            return super().append(topic, record)
        self.entered.set()

        async def later() -> int:
            await self.gate.wait()
            return await super(Gated, self).append(topic, record)

        return asyncio.ensure_future(later())

    async def append_all(self, topic: str, records: Sequence[Record]) -> list[Exception | None]:
        if topic == self.held:
            self.entered.set()
            await self.gate.wait()
        return await super().append_all(topic, records)


async def test_a_batch_that_comes_while_a_recovery_is_told_is_delivered() -> None:
    queues, topics = FakeQueues(refusing("not_now", "AccessDenied")), Gated()
    async with RouterInMemory(
        queues, table_of(ONE), log_of(20), topics, retry_for_s=0.001
    ) as router:
        await router.step(0, 0, 10)
        await until(lambda: len(topics.dead) == 10 and topics.records[EVENTS])
        queues.script, topics.held = None, EVENTS
        await router.step(0, 10, 11)
        await topics.entered.wait()
        await router.step(0, 11, 20)
        topics.gate.set()
        await router.caught_up()
    assert {offset for _, offset in queues.offsets("q")} == set(range(10, 20))


async def test_a_batch_that_comes_while_a_cancellation_is_told_is_delivered() -> None:
    queues, topics, table = FakeQueues(refusing("again")), Gated(), table_of(ONE)
    async with RouterInMemory(queues, table, log_of(20), topics) as router:
        await router.step(0, 0, 10)
        topics.held = DELIVERIES
        table.apply(b"acme:one", None)
        await topics.entered.wait()
        await asyncio.sleep(0.02)
        table.apply(b"acme:one", ONE.represent())
        queues.script = None
        await router.step(0, 10, 20)
        topics.gate.set()
        await router.caught_up()
    cancelled = {
        offset
        for each in topics.attempts
        if each.state == "cancelled"
        for offset in range(each.offset, each.until)
    }
    assert {offset for _, offset in queues.offsets("q")} | cancelled == set(range(20))
    assert {offset for _, offset in queues.offsets("q")} >= set(range(10, 20))


async def test_who_is_stopped_while_a_cancellation_is_told_keeps_its_place() -> None:
    queues, topics, table = FakeQueues(refusing("again")), Gated(), table_of(ONE)
    async with RouterInMemory(queues, table, log_of(20), topics) as router:
        await router.step(0, 0, 10)
        topics.held = DELIVERIES
        table.apply(b"acme:one", None)
        await topics.entered.wait()
        await asyncio.sleep(0.02)
        table.apply(b"acme:one", ONE.model_copy(update={"enabled": False}).represent())
        its = router.lanes.of(("acme", "one"))
        await asyncio.sleep(0.02)  # that is seen
        assert its.lock.locked()
        queues.script = None
        topics.gate.set()
        await until(lambda: not its.lock.locked())
        await router.step(0, 10, 20)
        table.apply(b"acme:one", ONE.represent())
        await router.caught_up()
    assert {offset for _, offset in queues.offsets("q")} >= set(range(10, 20))


async def test_a_rebalance_while_kafka_stumbles_leaves_one_task_for_a_lane() -> None:
    queues = FakeQueues()
    queues.gate["q"] = asyncio.Event()
    async with RouterInMemory(queues, table_of(ONE), log_of(20)) as router:
        await router.step(0, 0, 10)
        router.route.assigned([0])
        await until(lambda: len(queues.calls) >= 2)
        router.topics.away.add(DELIVERIES)
        router.route.assigned([0])
        await asyncio.sleep(0.01)
        router.topics.away.clear()
        await until(lambda: router.places.known)
        await asyncio.sleep(0.05)
        serving = [each for each in asyncio.all_tasks() if "_serve_behind" in repr(each.get_coro())]
        assert len(serving) == 1
        queues.gate["q"].set()
        await router.caught_up()


async def test_what_a_late_lane_has_sent_is_not_sent_again_with_the_batch() -> None:
    class Choosy(FakeTopics):
        fails = True

        async def append_all(self, topic: str, records: Sequence[Record]) -> list[Exception | None]:
            if topic != DELIVERIES or not self.fails:
                return await super().append_all(topic, records)
            told: list[Exception | None] = []
            for each in records:
                if b'"two"' in (consumed(each).value or b""):
                    told.append(Unaccepted("no leader"))
                else:
                    told += await super().append_all(topic, [each])
            return told

    queues, topics = FakeQueues(), Choosy()
    queues.gate["slow"] = asyncio.Event()
    table = table_of(a_subscription(arn("slow"), id="one"), a_subscription(arn("well"), id="two"))
    async with RouterInMemory(queues, table, log_of(20), topics) as router:
        for _ in range(3):
            queues.gate["slow"].clear()
            with pytest.raises(Transient):
                await router.step(0, 0, 20)
            queues.gate["slow"].set()
            await router.caught_up()
        topics.fails = False
        await router.step(0, 0, 20)
        await router.caught_up()
    for queue in ("slow", "well"):
        assert Counter(queues.offsets(queue)) == {(0, at): 1 for at in range(20)}


async def test_what_a_job_gives_up_is_in_the_ledger() -> None:
    queues = FakeQueues(refusing("again"))
    async with RouterInMemory(queues, table_of(ONE), log_of(20), retry_for_s=0.05) as router:
        put(router.topics, a_job(created_at=OLD_MS, positions={"0": [1, 2, 3]}))
        await until_done(router)
        dead = [each.offset for each in router.topics.attempts if each.state == "dead"]
        assert (dead, len(router.topics.dead)) == ([1, 2, 3], 3)


async def test_a_rest_waits_for_the_calls_of_jobs_and_what_they_did_is_kept() -> None:
    queues = FakeQueues()
    queues.gate["q"] = asyncio.Event()
    async with RouterInMemory(queues, table_of(ONE), log_of(20)) as router:
        put(router.topics, a_job(positions={"0": [1, 2, 3]}))
        await until(lambda: queues.calls)
        resting = asyncio.create_task(router.route.revoked())
        await asyncio.sleep(0.02)
        assert not resting.done()
        queues.gate["q"].set()
        await resting
        router.route.assigned([0])
        await until_done(router)
    assert queues.offsets("q") == [(0, 1), (0, 2), (0, 3)]
    assert table_in(router.topics).progress(a_job())[0].sent == 3


async def test_attempts_are_those_of_their_partition() -> None:
    def script(batch: Sequence[Delivery]) -> list[Outcome]:
        waits = ((0, 3), (1, 5))
        return [Outcome(each, "again" if each.position in waits else "sent") for each in batch]

    queues = FakeQueues(script)
    async with RouterInMemory(queues, table_of(ONE), log_of(20, 2)) as router:
        await router.step(0, 0, 10)
        its = router.lanes.of(("acme", "one"))
        await until(lambda: its.attempts.get((0, 3), 0) > 2)
        its.attempts[1, 3] = 1000
        tries = its.attempts[0, 3]
        await until(lambda: its.attempts.get((0, 3), 0) > tries)
        place = Place("acme", "one", 0)
        assert router.places.behind[place].stragglers[3] < 1000


async def test_a_queue_for_dead_letters_that_takes_nothing_is_asked_once_a_turn() -> None:
    letters = DeliverySettings(dead_letter=a_subscription(arn("dead")).destination)
    subscription = a_subscription(arn("q"), id="one", delivery=letters)
    queues, topics, lane_ = FakeQueues(refusing("again")), FakeTopics(), Lane(("acme", "one"))
    written: Any = topics
    dead = DeadLetters(Sender(queues, Slots(4)), Ledger(written), written, asyncio.Semaphore(1))
    outcomes = [Outcome(Delivery("{}", {}, "", (0, at)), "again") for at in range(50)]
    left = await dead(lane_, subscription, outcomes, "not taken for a day")
    assert queues.calls == [10]  # a call may take seconds, and others wait for the turn
    assert [each.delivery.position[1] for each in left] == list(range(10, 50))
    assert len(topics.dead) == len(lane_.settled) == 10


async def test_who_was_not_tried_for_long_is_not_paused_at_its_first_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(breaker, "IDLE_S", 0.05)
    queues, table = FakeQueues(refusing("not_now", "AccessDenied")), table_of(ONE)
    async with RouterInMemory(
        queues, table, log_of(20), retry_for_s=0.001, pause_after_s=0.2
    ) as router:
        await router.step(0, 0, 1)
        await until(lambda: len(router.topics.dead) == 1)
        await asyncio.sleep(0.3)  # nothing waits, so nothing is tried
        failures = iter([True])

        def script(batch: Sequence[Delivery]) -> list[Outcome]:
            state: Any = "again" if next(failures, False) else "sent"
            return [Outcome(each, state, "503") for each in batch]

        queues.script = script
        await router.step(0, 1, 20)
        await until(lambda: len(queues.sent["q"]) + len(router.topics.dead) == 20)
        found = table.get("acme", "one")
        assert found is not None
        assert found.paused is None


async def test_who_is_changed_while_a_pause_is_told_is_not_paused() -> None:
    queues, topics, table = FakeQueues(refusing("not_now", "AccessDenied")), Gated(), table_of(ONE)
    topics.held = EVENTS
    async with RouterInMemory(queues, table, log_of(20), topics, pause_after_s=0.05) as router:
        await router.step(0, 0, 10)
        await topics.entered.wait()
        mended = ONE.model_copy(update={"destination": a_subscription(arn("new")).destination})
        table.apply(b"acme:one", mended.represent())
        queues.script = None
        topics.gate.set()
        await router.caught_up()
        found = table.get("acme", "one")
        assert found is not None
        assert found.paused is None
    assert {offset for _, offset in queues.offsets("new")} == set(range(10))


async def test_one_that_was_frozen_takes_nothing_from_its_successor() -> None:
    """It wakes when another has its partition, finds that nothing is left of what it knew, and says so."""
    refused, topics, events = refusing("not_now", "AccessDenied"), FakeTopics(), log_of(20)
    mine, theirs, table = FakeQueues(refused), FakeQueues(refused), table_of(ONE)
    async with RouterInMemory(mine, table, events, topics) as frozen:
        await frozen.step(0, 0, 10)
        async with RouterInMemory(theirs, table, events, topics) as successor:
            successor.log.committed_offsets = {0: 10}
            await successor.step(0, 10, 20)
            await until(lambda: theirs.calls)
        mine.script = None
        await frozen.caught_up()
        await frozen.places.save()
    third = RouterInMemory(FakeQueues(), table, events, topics)
    third.log.committed_offsets = {0: 20}
    async with third:
        await until(lambda: third.places.known)
        await third.caught_up()
    sent = mine.offsets("q") + third.queues.offsets("q")
    assert {offset for _, offset in sent} == {*range(20)}


async def test_what_one_that_was_frozen_says_of_a_start_is_not_followed_again() -> None:
    """It had not seen the start that skips; what came after that is not skipped for its sake."""
    topics, table, late = FakeTopics(), table_of(ONE), Place("acme", "one", 0)
    start = Start(at="1", missed="skip")
    table.apply(b"acme:one", ONE.model_copy(update={"started": start}).model_dump_json().encode())
    claim = new_record(b"claim/0", b"successor", encode_headers([]), OLD_MS)
    stale = new_record(late.key, *written(Behind(5, {}), "frozen"), OLD_MS)
    topics.records[DELIVERIES_RETRY] += [consumed(claim), consumed(stale)]
    router = RouterInMemory(FakeQueues(), table, log_of(20), topics)
    router.log.committed_offsets = {0: 20}
    async with router:
        await until(lambda: router.places.known)
        await router.caught_up()
    assert router.queues.offsets("q") == [(0, offset) for offset in range(5, 20)]
    assert not [each for each in topics.attempts if each.state == "cancelled"]
