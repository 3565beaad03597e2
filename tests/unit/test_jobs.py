"""Redrives: exactly what was asked for is sent again, whoever is killed, and the live stream goes on."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from contracts.deliveries import SQS_ATTRIBUTES_MAX, Delivery, claim_check
from contracts.delivery_settings import DeliverySettings
from contracts.encoding.recordbatch import encode_headers, new_record
from contracts.jobs import Job, Jobs, UnreadableJob, Wish, encode, job_key
from contracts.topics import DELIVERIES_JOBS
from processors.deliver import breaker, jobs, lanes
from processors.deliver.dead_letters import dead_letter
from processors.deliver.lane import Lane
from processors.deliver.outcomes import Outcome
from tests.fakes.delivering import FakeQueues, FakeTopics, RouterInMemory
from tests.queues import arn
from tests.unit.test_deliver import a_subscription
from tests.unit.test_lanes import COUNT, NOW_MS, OLD_MS, failing, log_of, refusing, table_of

ASKED = [3, 5, 8, 20, 39]


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause is long."""
    for module, name in ((lanes, "IDLE_S"), (jobs, "LOOK_S"), (jobs, "AGAIN_S")):
        monkeypatch.setattr(module, name, 0.001)
    monkeypatch.setattr(breaker, "FIRST_PAUSE_S", 0.001)


def a_job(state: Wish = "running", created_at: int = NOW_MS, **more: Any) -> Job:
    fields: dict[str, Any] = {
        "id": "j1",
        "tenant": "acme",
        "subscription_id": "one",
        "kind": "redrive",
        "created_by": "somebody",
        "positions": {"0": ASKED, "7": [1]},
    }
    return Job(state=state, created_at=created_at, **fields | more)


def put(topics: FakeTopics, job: Job) -> None:
    record = new_record(job_key(job.tenant, job.id), encode(job), encode_headers([]), NOW_MS)
    topics.append(DELIVERIES_JOBS, record)


def table_in(topics: FakeTopics) -> Jobs:
    table = Jobs()
    for each in topics.records[DELIVERIES_JOBS]:
        table.apply(each.key, each.value)
    return table


async def until_done(router: RouterInMemory) -> None:
    """Return when the job has come to its end in partition 0."""
    async with asyncio.timeout(60):
        while True:
            found = table_in(router.topics).progress(a_job()).get(0)
            if found is not None and found.state != "running":
                return
            assert not router._running.done(), router._running.exception()
            await asyncio.sleep(0.001)


def a_router(queues: FakeQueues, topics: FakeTopics | None = None) -> RouterInMemory:
    table = table_of(a_subscription(arn("q"), id="one"))
    return RouterInMemory(queues, table, log_of(COUNT), topics)


async def test_what_was_asked_for_is_sent_and_told_as_manual() -> None:
    queues = FakeQueues()
    async with a_router(queues) as router:
        put(router.topics, a_job())
        await until_done(router)
    assert queues.offsets("q") == [(0, at) for at in ASKED]
    assert {each.replay_id for each in queues.sent["q"]} == {"j1"}  # FIFO queues take them again
    told = router.topics.attempts
    assert [(each.offset, each.state) for each in told] == [(at, "delivered") for at in ASKED]
    assert {(each.origin, each.job_id, each.attempt) for each in told} == {("manual", "j1", 1)}
    progress = table_in(router.topics).progress(a_job())
    assert (progress[0].sent, progress[0].state) == (len(ASKED), "done")
    assert 7 not in progress  # that partition is another router's


async def test_its_messages_say_what_they_are_and_have_room_for_no_more() -> None:
    queues, log = FakeQueues(), log_of(COUNT)
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    log[0][3].headers = (*log[0][3].headers, ("traceparent", trace))
    table = table_of(a_subscription(arn("q"), id="one"))
    async with RouterInMemory(queues, table, log) as router:
        put(router.topics, a_job(kind="replay", positions={"0": [3]}))
        await until_done(router)
        await router.step(0, 4, 5)
    sent, live = queues.sent["q"]
    told = {"attempt": "1", "origin": "replay", "replay_id": "j1"}
    assert told.items() <= sent.attributes.items()
    assert not told.keys() & live.attributes.keys()
    claimed = claim_check(sent, "").attributes
    assert len(claimed) == SQS_ATTRIBUTES_MAX
    assert claimed["claim_check"] == "true"
    letter = dead_letter(Outcome(sent, "never", "Bad"), Lane(("acme", "one")), "")
    assert letter.attributes["error_code"] == "Bad"
    assert letter.attributes["replay_id"] == "j1"
    assert claim_check(letter, "").attributes["claim_check"] == "true"
    assert len(claim_check(letter, "").attributes) == SQS_ATTRIBUTES_MAX


async def test_each_attempt_of_a_job_has_its_number() -> None:
    numbers: list[str] = []

    def script(batch: Sequence[Delivery]) -> list[Outcome]:
        numbers.extend(each.attributes["attempt"] for each in batch)
        state: Any = "sent" if len(numbers) == 3 else "again"
        return [Outcome(each, state) for each in batch]

    async with a_router(FakeQueues(script)) as router:
        put(router.topics, a_job(positions={"0": [3]}))
        await until_done(router)
    assert numbers == ["1", "2", "3"]
    assert [each.attempt for each in router.topics.attempts] == [1, 2, 3]


async def test_a_job_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "WINDOW", 2)
    queues, topics = FakeQueues(failing(8)), FakeTopics()
    async with a_router(queues, topics) as router:
        put(topics, a_job())
        async with asyncio.timeout(60):
            while not (found := table_in(topics).progress(a_job())) or found[0].next < 2:
                await asyncio.sleep(0.001)
    queues.script = None
    async with a_router(queues, topics) as router:
        await until_done(router)
    assert Counter(queues.offsets("q")) >= Counter((0, at) for at in ASKED)
    assert Counter(queues.offsets("q"))[0, 3] == 1
    assert table_in(topics).progress(a_job())[0].sent == len(ASKED)


async def test_what_is_refused_again_is_dead_again_and_what_left_kafka_is_missing() -> None:
    queues = FakeQueues(failing(5, state="never"))
    async with a_router(queues) as router:
        put(router.topics, a_job(positions={"0": [*ASKED, 1000]}))
        await until_done(router)
    progress = table_in(router.topics).progress(a_job())[0]
    assert (progress.sent, progress.dead, progress.missing) == (4, 1, 1)
    [dead] = router.topics.dead
    assert dict(dead.headers)["replay_id"] == b"j1"


async def test_it_waits_for_a_queue_that_takes_nothing_but_not_for_ever() -> None:
    for created_at, ends in ((NOW_MS, False), (OLD_MS, True)):
        queues = FakeQueues(refusing("not_now", "AccessDenied"))
        async with a_router(queues) as router:
            put(router.topics, a_job(created_at=created_at))
            if ends:
                await until_done(router)
                assert len(router.topics.dead) == len(ASKED)
            else:
                async with asyncio.timeout(60):
                    while len(queues.calls) < 8:
                        await asyncio.sleep(0.001)
                assert not router.topics.dead
                queues.script = None
                await until_done(router)
                assert queues.offsets("q") == [(0, at) for at in ASKED]


async def test_a_job_that_is_slow_gives_nothing_up() -> None:
    queues = FakeQueues()
    async with a_router(queues) as router:
        put(router.topics, a_job(created_at=OLD_MS, messages_per_s=4))
        await until_done(router)
    assert queues.offsets("q") == [(0, at) for at in ASKED]
    assert not router.topics.dead


async def test_a_job_that_was_paused_for_long_has_its_time_from_then_on() -> None:
    queues = FakeQueues(refusing("not_now", "AccessDenied"))
    async with a_router(queues) as router, asyncio.timeout(60):
        put(router.topics, a_job(created_at=OLD_MS, resumed_at=NOW_MS))
        while len(queues.calls) < 4:
            await asyncio.sleep(0.001)
        queues.script = None
        await until_done(router)
    assert queues.offsets("q") == [(0, at) for at in ASKED]
    assert not router.topics.dead


async def test_a_queue_that_is_away_costs_no_record_each_time() -> None:
    queues = FakeQueues(refusing("not_now", "AccessDenied"))
    async with a_router(queues) as router, asyncio.timeout(60):
        put(router.topics, a_job())
        while len(queues.calls) < 8:
            await asyncio.sleep(0.001)
    assert len(router.topics.records[DELIVERIES_JOBS]) == 1


async def test_it_is_paused_cancelled_and_ends_with_its_subscription() -> None:
    queues = FakeQueues()
    async with a_router(queues) as router:
        put(router.topics, a_job("paused"))
        await router.step(0, 0, 1)
        assert queues.offsets("q") == [(0, 0)]
        put(router.topics, a_job("cancelled"))
        await until_done(router)
    assert table_in(router.topics).progress(a_job())[0].state == "cancelled"
    assert queues.offsets("q") == [(0, 0)]
    async with RouterInMemory(queues, table_of(), log_of(COUNT)) as router:
        put(router.topics, a_job())
        await until_done(router)
    assert "deleted" in table_in(router.topics).progress(a_job())[0].reason


@pytest.mark.parametrize("whose", ["the job's", "the subscription's"])
async def test_a_limit_holds_for_all_partitions_together(whose: str) -> None:
    own = DeliverySettings(messages_per_s=2 if whose == "the subscription's" else None)
    queues, table = FakeQueues(), table_of(a_subscription(arn("q"), id="one", delivery=own))
    async with RouterInMemory(queues, table, log_of(COUNT, 3)) as router, asyncio.timeout(60):
        began_s = time.monotonic()
        limit = 2 if whose == "the job's" else None
        put(router.topics, a_job(positions=dict.fromkeys("012", ASKED), messages_per_s=limit))
        while len(queues.sent["q"]) < 5:
            await asyncio.sleep(0.001)
    assert time.monotonic() - began_s > (5 - 2) / 2 - 0.1  # a second's worth goes at once


async def test_the_live_stream_has_its_turn_between_two_waves_of_a_job() -> None:
    queues = FakeQueues()
    order: list[str] = []

    def script(batch: Sequence[Delivery]) -> list[Outcome]:
        order.append(batch[0].replay_id)
        return [Outcome(each, "sent") for each in batch]

    queues.script = script
    table = table_of(a_subscription(arn("q"), id="one"))
    async with RouterInMemory(queues, table, log_of(500)) as router:
        put(router.topics, a_job(positions={"0": list(range(400))}))
        async with asyncio.timeout(60):
            while not order:
                await asyncio.sleep(0)
        await router.step(0, 499, 500)
        await until_done(router)
    assert "" in order[:20]
    assert len(queues.sent["q"]) == 401


def test_records_that_are_no_jobs_are_named() -> None:
    table = Jobs()
    table.apply(b"acme:j1", encode(a_job()))
    for key, value in ((b"acme", b"{}"), (b"acme:j2", b"{"), (b"acme:j1:x", b"{}"), (None, None)):
        with pytest.raises(UnreadableJob):
            table.apply(key, value)
    assert [each.id for each in table.of("acme")] == ["j1"]
    assert [partition for _, partition in table.unfinished()] == [0, 7]
    table.apply(b"acme:j1", None)
    assert table.of("acme") == [] == list(table.unfinished())
