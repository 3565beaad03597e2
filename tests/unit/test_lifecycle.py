"""Of a queue that fails for long: what is announced, and how often; what is paused, and until when."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from contracts.deliveries import Delivery
from contracts.encoding.codec import EventJson, decode_base64
from contracts.encoding.recordbatch import encode_headers, new_record
from contracts.encoding.wire import decode_event, decode_tenant
from contracts.pauses import Start
from contracts.subscription_table import Subscriptions
from contracts.subscriptions import Subscription
from contracts.topics import DELIVERIES_RETRY, EVENTS
from processors.consume.step import LogRecord
from processors.deliver import breaker, lanes
from processors.deliver.announcements import HOPS, HOPS_MAX, Kind, announcement, hops_from
from processors.deliver.breaker import Breaker
from processors.deliver.lifecycle import Lifecycle
from processors.deliver.outcomes import Outcome
from tests.fakes import FakeRecord
from tests.fakes.delivering import DAY_S, FakeFollower, FakeQueues, FakeTopics, RouterInMemory
from tests.queues import arn
from tests.records import consumed
from tests.unit.test_deliver import a_subscription
from tests.unit.test_lanes import log_of, refusing, table_of

COUNT = 10
DENIED: Any = ("not_now", "AccessDenied")


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


def announced(topics: FakeTopics) -> list[EventJson]:
    return [decode_event(each.value) for each in topics.records[EVENTS]]


def kinds(topics: FakeTopics) -> list[str]:
    return [attributes(each)["kind"] for each in announced(topics)]


def attributes(event: EventJson) -> dict[str, str]:
    found = event.event_payload.key_attributes
    assert isinstance(found, dict)
    return found


async def test_the_first_that_is_given_up_is_announced_and_that_all_is_well_again() -> None:
    queues, events = FakeQueues(refusing(*DENIED)), log_of(COUNT + 1)
    table = table_of(a_subscription(arn("q"), id="one", name="orders"))
    async with RouterInMemory(queues, table, events, retry_for_s=0.001) as router:
        await router.step(0, 0, COUNT)
        await until(lambda: len(router.topics.dead) == COUNT)
        queues.script = None
        await router.step(0, COUNT, COUNT + 1)
        await router.caught_up()
    assert kinds(router.topics) == ["exhausted", "recovered"]
    first = announced(router.topics)[0]
    assert decode_tenant(router.topics.records[EVENTS][0].headers) == "acme"
    assert (first.event_type, first.event_source, first.entity_id, first.entity_name) == (
        *("SYSTEM_EVENT", "APPLICATION", "one", "orders"),
    )
    assert first.event_payload.operation == "UPDATE"
    assert attributes(first) == {"subscription_id": "one", "kind": "exhausted", HOPS: "1"}
    payload = json.loads(decode_base64(str(first.event_payload.base64_encoded_payload_json)) or b"")
    assert payload["destination"] == arn("q")
    assert (payload["kind"], payload["code"]) == ("exhausted", "AccessDenied")
    assert payload["since"].endswith("Z")


async def test_a_restart_neither_forgets_nor_repeats_what_was_told() -> None:
    queues, events, topics = FakeQueues(refusing(*DENIED)), log_of(2 * COUNT), FakeTopics()
    table = table_of(a_subscription(arn("q"), id="one"))
    async with RouterInMemory(queues, table, events, topics, retry_for_s=0.001) as router:
        await router.step(0, 0, COUNT)
        await until(lambda: len(topics.dead) == COUNT)
        await router.places.save()
    again = RouterInMemory(queues, table, events, topics, retry_for_s=0.001)
    again.log.committed_offsets = {0: COUNT}
    async with again:
        await again.step(0, COUNT, 2 * COUNT)
        await until(lambda: len(topics.dead) == 2 * COUNT)
        assert kinds(topics) == ["exhausted"]
        queues.script = None
        again.log.events[0] += [FakeRecord(events[0][0].value, 0, 2 * COUNT)]
        await again.step(0, 2 * COUNT, 2 * COUNT + 1)
        await again.caught_up()
    assert kinds(topics) == ["exhausted", "recovered"]


async def test_announcements_of_queues_that_take_no_announcements_come_to_an_end() -> None:
    """A subscription to everything, announcements too, and two to those alone: all on dead queues."""
    about = {"event_type": ["SYSTEM_EVENT"]}
    table = table_of(
        a_subscription(arn("all"), id="all"),
        a_subscription(arn("a"), id="a", filter=about),
        a_subscription(arn("b"), id="b", filter=about),
    )
    events: Any = log_of(COUNT)
    async with RouterInMemory(
        FakeQueues(refusing(*DENIED)), table, events, retry_for_s=0.001
    ) as router:
        log, topics, first = events[0], router.topics, 0
        for _ in range(2 * COUNT):  # enough for a loop to show
            await router.step(0, first, len(log))
            first, taken = len(log), len(log) - COUNT
            expected = COUNT + 3 * taken
            await until(lambda: len(topics.dead) == expected)  # noqa: B023
            for each in topics.records[EVENTS][taken:]:
                log.append(_at(each, len(log)))
            if len(log) == first:
                break
    assert kinds(topics) == ["exhausted"]
    assert attributes(announced(topics)[0])["subscription_id"] == "all"


def _at(record: LogRecord, offset: int) -> Any:
    return FakeRecord(record.value, 0, offset, headers=record.headers, key=record.key)


def test_an_announcement_about_an_announcement_would_be_a_hop_too_many() -> None:
    told = announcement("acme", a_subscription(), "exhausted", 1, None, hops=1)
    body = msgspec.json.encode(told).decode()
    about = Delivery(body, {"event_type": "SYSTEM_EVENT"}, "", (0, 0))
    event = Delivery("{}", {"event_type": "FAULT"}, "", (0, 0))
    assert hops_from([about]) > HOPS_MAX
    assert hops_from([about, event]) == 1
    assert hops_from([]) > HOPS_MAX


@pytest.mark.parametrize("hops", ["9" * 8192, "\u0661", "-1", "1.0", ""])
def test_what_a_client_writes_into_the_hop_count_breaks_nothing(hops: str) -> None:
    told = announcement("acme", a_subscription(), "exhausted", 1, None, hops=1)
    told.event_payload.key_attributes = {HOPS: hops}
    body = msgspec.json.encode(told).decode()
    assert hops_from([Delivery(body, {"event_type": "SYSTEM_EVENT"}, "", (0, 0))]) == 1
    assert hops_from([Delivery("no event", {"event_type": "SYSTEM_EVENT"}, "", (0, 0))]) == 1


def test_the_same_is_told_under_the_same_id_and_another_under_another() -> None:
    def id_of(tenant: str, subscription: Subscription, kind: Kind, since_ms: int) -> str:
        return announcement(tenant, subscription, kind, since_ms, None, 1).id

    one, two = a_subscription(), a_subscription(id="two")
    same = id_of("acme", one, "paused", 1_000)
    assert id_of("acme", one, "paused", 2_000) == same
    others = {
        id_of("other", one, "paused", 1_000),
        id_of("acme", two, "paused", 1_000),
        id_of("acme", one, "recovered", 1_000),
        id_of("acme", one, "paused", 24 * 3_600_000),
    }
    assert len(others | {same}) == 5


async def test_a_queue_that_takes_nothing_for_too_long_has_its_subscription_paused() -> None:
    queues, table = FakeQueues(refusing(*DENIED)), table_of(a_subscription(arn("q"), id="one"))
    async with RouterInMemory(queues, table, log_of(2 * COUNT), pause_after_s=0.001) as router:
        await router.step(0, 0, COUNT)
        await router.caught_up()
        paused = table.get("acme", "one")
        assert paused is not None
        assert paused.paused is not None
        assert not paused.active
        assert "AccessDenied" in str(paused.inactive)
        queues.script = None
        await router.step(0, COUNT, COUNT + 5)
        assert not queues.sent["q"]
        start = Start(at="2026-01-31T12:00:00.000000Z", missed="skip")
        skipping = a_subscription(arn("q"), id="one", started=start).model_dump_json()
        table.apply(b"acme:one", skipping.encode())  # as any change does it
        await router.step(0, COUNT + 5, 2 * COUNT)
        await router.caught_up()
    assert sorted(queues.offsets("q")) == [(0, n) for n in range(COUNT + 5, 2 * COUNT)]
    assert kinds(router.topics) == ["paused"]
    cancelled = [each for each in router.topics.attempts if each.state == "cancelled"]
    lost = {at for each in cancelled for at in range(each.offset, each.until)}
    assert lost == set(range(COUNT + 5))


async def test_after_a_pause_is_lifted_failures_are_counted_anew() -> None:
    queues, table = FakeQueues(refusing(*DENIED)), table_of(a_subscription(arn("q"), id="one"))
    async with RouterInMemory(queues, table, log_of(2 * COUNT), pause_after_s=2) as router:
        await router.step(0, 0, COUNT)
        breaker_ = router.lanes.of(("acme", "one")).breaker
        await until(lambda: table.paused and not breaker_.since_ms)  # the pause was seen
        table.apply(b"acme:one", a_subscription(arn("q"), id="one").represent())
        calls = len(queues.calls)
        await router.step(0, COUNT, 2 * COUNT)
        await until(lambda: len(queues.calls) > calls + 2)
        lifted = table.get("acme", "one")
        assert lifted is not None
        assert lifted.active


async def test_how_long_nothing_was_taken_survives_a_restart() -> None:
    now_ms, topics = time.time_ns() // 1_000_000, FakeTopics()
    long_ago_ms = now_ms - 2 * round(DAY_S * 1000)
    told = [("next", b"0"), ("failing", str(long_ago_ms).encode())]
    state = new_record(b"acme:one:0", b"0", encode_headers(told), now_ms)
    topics.records[DELIVERIES_RETRY].append(consumed(state))
    queues, table = FakeQueues(refusing(*DENIED)), table_of(a_subscription(arn("q"), id="one"))
    router = RouterInMemory(queues, table, log_of(COUNT), topics)
    router.log.committed_offsets = {0: COUNT}
    async with router:
        await until(lambda: table.paused and router.places.known)
    paused = table.get("acme", "one")
    assert paused is not None
    assert paused.paused is not None
    assert len(queues.calls) == 1  # one more try, and no more


async def test_what_somebody_has_just_changed_is_not_paused() -> None:
    table = table_of(a_subscription(arn("q"), id="one"))
    queues, follower = FakeQueues(refusing(*DENIED)), ChangedMeanwhile(table)
    router = RouterInMemory(queues, table, log_of(COUNT), pause_after_s=0.001)
    lifecycle = Lifecycle(router.topics, follower, router.places, router.router.reader, 0.001)  # type: ignore[arg-type]
    lane, found = router.lanes.of(("acme", "one")), table.get("acme", "one")
    assert found is not None
    lane.breaker.since_ms = 1
    await lifecycle.failed(lane, found)
    assert not router.topics.records


async def test_a_pause_is_announced_whatever_its_queue_was_tried_with() -> None:
    """An announcement too: when all else is given up that is what is left to try."""
    table = table_of(a_subscription(arn("q"), id="one"))
    router = RouterInMemory(FakeQueues(), table, log_of(COUNT), pause_after_s=0.001)
    follower = FakeFollower(table)
    lifecycle = Lifecycle(router.topics, follower, router.places, router.router.reader, 0.001)  # type: ignore[arg-type]
    lane, found = router.lanes.of(("acme", "one")), table.get("acme", "one")
    assert found is not None
    lane.breaker.since_ms = 1
    await lifecycle.failed(lane, found)
    assert kinds(router.topics) == ["paused"]


class ChangedMeanwhile(FakeFollower):
    """Has a change by somebody as soon as it is asked."""

    def __init__(self, table: Subscriptions) -> None:
        super().__init__(table)

    async def catch_up(self, timeout_s: float) -> bool:
        """See `SubscriptionsFollower`."""
        self.table.apply(b"acme:one", a_subscription(arn("other"), id="one").represent())
        return True


def test_a_breaker_says_since_when_nothing_was_taken() -> None:
    made, why = Breaker(), Outcome(Delivery("", {}, "", (0, 0)), "again")
    made.failed(why, 1)
    since_ms = made.since_ms
    made.failed(why, 1)
    assert made.since_ms == since_ms > 0
    made.took()
    assert made.since_ms == 0
