"""An audit of deliveries: what a router did whatever failed is proven, and what is wrong is named.

The router and what the audit reads are in memory; tests/view has the real ones.
"""

import argparse
import asyncio
import json
import random
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli import main
from contracts.attempts import encode_attempt
from contracts.changes import change_key, change_value
from contracts.deliveries import Delivery
from contracts.encoding.recordbatch import encode_headers, new_record
from contracts.pauses import Missed, Start
from contracts.subscription_table import Subscriptions
from contracts.topics import DELIVERIES, DELIVERIES_RETRY
from processors.deliver import breaker, lanes
from processors.deliver.outcomes import Outcome
from processors.deliver.places import Places
from processors.upkeep import command_line
from processors.upkeep.audit import Unprovable
from processors.upkeep.deliveries import owed, waiting
from processors.upkeep.deliveries.account import WAITS, Account
from processors.upkeep.deliveries.period import Period, When, period
from processors.upkeep.deliveries.report import document, lines
from processors.upkeep.deliveries.subscribed import keeps_position
from tests.attempts import an_attempt
from tests.builders import an_event, represented
from tests.examples import examples
from tests.fakes import FakeRecord, FakeRow, FakeRows
from tests.fakes.audited import FakeAudited
from tests.fakes.delivering import FakeLog, FakeQueues, FakeTopics, RouterInMemory
from tests.queues import arn
from tests.records import consumed
from tests.unit.test_deliver import a_subscription

NOW_MS = time.time_ns() // 1_000_000
BEFORE_MS, SINCE_MS = NOW_MS - 3_600_000, NOW_MS - 60_000
COUNT = 40
PLAIN, DERIVED = "01a20d33-994f-74a1-8936-e15ecec1%04d", "01a20d33-994f-84a1-8936-e15ecec1%04d"


def events_of(count: int = COUNT, partitions: int = 1, named: str = PLAIN) -> Any:
    """Events by partition, each of one of five entities."""
    return {
        number: [
            FakeRecord(
                represented(an_event(entity_id=f"{at % 5}"), named % (number * 1000 + at)),
                number,
                at,
                timestamp=SINCE_MS + at,
            )
            for at in range(count)
        ]
        for number in range(partitions)
    }


def subscription(name: str, changed_ms: int = BEFORE_MS, **fields: Any) -> FakeRecord:
    """The record of a subscription with a queue of its own name."""
    value = a_subscription(arn(name), id=name, **fields).represent()
    return FakeRecord(
        value, key=f"acme:{name}".encode(), timestamp=changed_ms, topic="subscriptions"
    )


def table_of(records: Sequence[FakeRecord]) -> Subscriptions:
    table = Subscriptions()
    for each in records:
        table.apply(each.key, each.value)
    return table


def tell(topics: FakeTopics, event: FakeRecord, name: str, state: str, **changes: Any) -> None:
    """Append an attempt of the delivery of an event."""
    known: dict[str, Any] = {
        "at": NOW_MS - 10_000,
        "subscription_id": name,
        "state": state,
        "partition": event.partition,
        "offset": event.offset,
        "event_id": (event.value or b"").split(b'"id":"')[1][:36].decode(),
    }
    attempt = an_attempt(**known | changes)
    record = new_record(b"acme:1", encode_attempt(attempt), encode_headers([]), attempt.at)
    topics.records[DELIVERIES].append(consumed(record))


def audited(
    topics: FakeTopics,
    events: dict[int, list[FakeRecord]],
    *subscriptions: FakeRecord,
    routed: int | None = None,
    rows: FakeRows | None = None,
) -> FakeAudited:
    log: Any = FakeLog(topics, events)  # type: ignore[arg-type]
    log.committed_offsets = {
        number: len(some) if routed is None else routed for number, some in events.items()
    }
    return FakeAudited(topics, log, subscriptions or [subscription("one")], rows)


def found(account: Account, *but: str) -> dict[str, int]:
    """What was counted at all."""
    return {kind: count for kind, count in account.counts.items() if count and kind not in but}


async def of_states(*states: str, **changes: Any) -> Account:
    """The account of one event with attempts of these states."""
    topics, events = FakeTopics(), events_of(1)
    for at, state in enumerate(states):
        tell(topics, events[0][0], "one", state, at=NOW_MS - 10_000 + at, **changes)
    return await audited(topics, events).audit()


@pytest.mark.parametrize(
    ("states", "counted"),
    [
        (["delivered"], {"delivered": 1}),
        (["failed", "delivered"], {"delivered": 1}),
        (["failed", "dead"], {"dead": 1}),
        (["failed", "cancelled"], {"cancelled": 1}),
        (["dead", "failed"], {"dead": 1}),  # a redrive that failed
        (["delivered", "failed"], {"delivered": 1}),
        (["dead", "delivered"], {"delivered": 1}),
        (["delivered", "delivered", "delivered"], {"delivered": 1, "duplicates": 2}),
        (["failed"], {"missing": 1}),
        ([], {"missing": 1}),
    ],
)
async def test_what_attempts_say(states: list[str], counted: dict[str, int]) -> None:
    account = await of_states(*states, code="Some")
    assert found(account) == counted
    assert account.proven is ("missing" not in counted)
    assert account.judged == 1


async def test_what_a_redrive_delivered_is_delivered_and_no_duplicate() -> None:
    assert found(await of_states("delivered", "delivered", origin="manual")) == {"delivered": 1}


async def test_dead_without_any_cause_is_not_proven() -> None:
    account = await of_states("dead")
    assert found(account) == {"causeless": 1}
    assert not account.proven


@pytest.mark.parametrize("state", ["cancelled", "dead"])
async def test_a_range_that_ended_takes_what_had_not_ended_in_it(state: str) -> None:
    topics, events = FakeTopics(), events_of(5)
    tell(topics, events[0][1], "one", "delivered")
    tell(topics, events[0][2], "one", "failed")
    tell(topics, events[0][1], "one", state, event_id="", until=4)
    tell(topics, events[0][1], "two", state, event_id="", until=5)
    account = await audited(topics, events).audit()
    assert found(account) == {"delivered": 1, state: 2, "missing": 2}
    assert {each.offset for each in account.wrong["missing"]} == {0, 4}


async def test_what_waits_is_told_from_what_is_lost() -> None:
    topics, events = FakeTopics(), events_of(10)
    record = new_record(
        b"acme:one:0", b"2", encode_headers([("next", b"6"), ("stragglers", b"2:3")]), NOW_MS
    )
    topics.records[DELIVERIES_RETRY].append(consumed(record))
    account = await audited(topics, events, routed=8).audit()
    assert found(account) == {"missing": 5, "behind": 3, "unrouted": 2}
    assert [each.offset for each in account.wrong["missing"]] == [0, 1, 3, 4, 5]


async def test_who_was_changed_since_or_is_gone_is_not_judged() -> None:
    topics, events = FakeTopics(), events_of(10)
    changed = subscription("two", SINCE_MS + 4)
    gone = FakeRecord(None, key=b"acme:three", timestamp=BEFORE_MS)
    disabled = subscription("four", SINCE_MS + 9000, enabled=False)
    for name in ("one", "two", "three", "four"):
        tell(topics, events[0][3], name, "delivered")
    world = audited(topics, events, changed, subscription("three"), gone, disabled)
    account = await world.audit()
    assert found(account) == {"changed": 20, "gone": 2}  # nobody is called one
    assert account.proven
    assert account.judged == 0


def change_of(name: str, at_ms: int, before: Any, after: Any) -> FakeRecord:
    """Who changed a subscription, as it is told before the subscription itself."""
    value = change_value("", "", "somebody", "patch", before, after)
    key = change_key("acme", name, str(at_ms))
    return FakeRecord(value, key=key, timestamp=at_ms, topic="subscriptions")


STOPPED = ({"enabled": True}, {"enabled": False})
PLACE = new_record(b"acme:one:0", b"1", encode_headers([("next", b"1")]), NOW_MS)


def disabled_and_enabled(missed: Missed) -> list[FakeRecord]:
    """Made long ago; disabled and enabled again after the events."""
    created = change_of("one", BEFORE_MS, None, {"enabled": True, "name": "n"})
    off_ms, on_ms = SINCE_MS + 9000, SINCE_MS + 19000
    start = Start(at="2026-01-31T12:00:00.000000Z", missed=missed)
    after = {"enabled": True, "started": start.model_dump()}
    value = a_subscription(arn("one"), id="one", started=start).model_dump_json().encode()
    return [
        created,
        subscription("one"),
        change_of("one", off_ms, *STOPPED),
        subscription("one", off_ms, enabled=False),
        change_of("one", on_ms, {"enabled": False}, after),
        FakeRecord(value, key=b"acme:one", timestamp=on_ms, topic="subscriptions"),
    ]


@pytest.mark.parametrize("waits", [True, False])
async def test_who_is_disabled_is_owed_what_lies_behind_its_position(waits: bool) -> None:
    topics, events = FakeTopics(), events_of(4)
    tell(topics, events[0][0], "one", "delivered")
    if waits:
        topics.records[DELIVERIES_RETRY].append(consumed(PLACE))
    world = audited(topics, events, *disabled_and_enabled("skip")[:4])
    account = await world.audit()
    assert found(account) == {"delivered": 1, "behind" if waits else "missing": 3}


async def test_who_went_on_where_it_was_is_judged_as_if_it_had_never_stopped() -> None:
    topics, events = FakeTopics(), events_of(4)
    for each in events[0][:3]:
        tell(topics, each, "one", "delivered")
    account = await audited(topics, events, *disabled_and_enabled("catch_up")).audit()
    assert found(account) == {"delivered": 3, "missing": 1}
    compacted = disabled_and_enabled("catch_up")
    account = await audited(topics, events, *compacted[::2], compacted[-1]).audit()
    assert found(account) == {"delivered": 3, "missing": 1}


async def test_who_skipped_has_been_changed() -> None:
    topics, events = FakeTopics(), events_of(4)
    tell(topics, events[0][0], "one", "delivered")
    account = await audited(topics, events, *disabled_and_enabled("skip")).audit()
    assert found(account) == {"changed": 4}


@pytest.mark.parametrize(
    ("before", "after", "keeps"),
    [
        (*STOPPED, True),
        (None, {"enabled": False}, False),
        ({"enabled": True}, None, False),
        (
            {"enabled": True, "filter": {}},
            {"enabled": False, "filter": {"entity_id": ["1"]}},
            False,
        ),
        ({"paused": {}, "inactive": "x"}, {"started": {"at": "x", "missed": "catch_up"}}, True),
        ({"paused": {}, "inactive": "x"}, {"started": {"at": "x", "missed": "skip"}}, False),
        ({"enabled": False}, {"enabled": True}, False),  # by a release before
    ],
)
def test_what_is_no_change_of_who_is_owed_what(before: Any, after: Any, keeps: bool) -> None:
    assert keeps_position(change_value("", "", "", "patch", before, after)) is keeps


async def test_who_is_paused_is_owed_what_lies_behind_its_position() -> None:
    when = dict.fromkeys(("at", "since", "missed_from"), "2026-01-31T12:00:00.000Z")
    pause = FakeRecord(
        json.dumps(when | {"code": "", "reason": ""}).encode(),
        key=b"acme:one:paused",
        timestamp=SINCE_MS + 9000,
        topic="subscriptions",
    )
    topics, events = FakeTopics(), events_of(4)
    tell(topics, events[0][0], "one", "delivered")
    topics.records[DELIVERIES_RETRY].append(consumed(PLACE))
    account = await audited(topics, events, subscription("one"), pause).audit()
    assert found(account) == {"delivered": 1, "behind": 3}
    assert account.proven


async def test_what_nobody_was_owed_is_foreign() -> None:
    topics, events = FakeTopics(), events_of(3)
    filtered = subscription("two", filter={"entity_id": ["1"]})
    for each in events[0]:
        tell(topics, each, "one", "delivered")
        tell(topics, each, "two", "delivered")
        tell(topics, each, "two", "failed")
    tell(topics, events[0][0], "one", "delivered", event_id=PLAIN % 99)
    tell(topics, events[0][2], "one", "delivered", tenant="globex")
    tell(topics, events[0][2], "two", "delivered", origin="manual", event_id=PLAIN % 98)
    account = await audited(topics, events, subscription("one"), filtered).audit()
    assert found(account) == {"delivered": 4, "foreign": 3, "gone": 1}
    assert {(each.subscription_id, each.offset) for each in account.wrong["foreign"]} == {
        *(("two", 0), ("two", 2), ("one", 0)),
    }
    assert not account.proven


async def test_a_delivery_of_an_event_that_is_not_there_is_foreign() -> None:
    topics, events = FakeTopics(), events_of(3)
    for each in events[0]:
        tell(topics, each, "one", "delivered")
    events[0][1] = FakeRecord(b"no event", 0, 1, timestamp=SINCE_MS)
    account = await audited(topics, events).audit()
    assert found(account) == {"delivered": 2, "unreadable": 1, "foreign": 1}


async def test_an_attempt_from_before_its_event_is_of_another_log() -> None:
    topics, events = FakeTopics(), events_of(1)
    tell(topics, events[0][0], "one", "delivered", at=SINCE_MS - 3_600_000)
    assert found(await audited(topics, events).audit()) == {"missing": 1}


async def test_a_repeat_is_no_event_of_its_own_and_a_tombstone_none() -> None:
    topics, events = FakeTopics(), events_of(3, named=DERIVED)
    events[0].append(FakeRecord(events[0][0].value, 0, 3, timestamp=SINCE_MS + 3))
    events[0].append(FakeRecord(None, 0, 4, timestamp=SINCE_MS + 4))
    for each in events[0][:3]:
        tell(topics, each, "one", "delivered")
    account = await audited(topics, events).audit()
    assert found(account) == {"delivered": 3, "repeats": 1, "erasures": 1}
    tell(topics, events[0][3], "one", "delivered")  # by a router that had forgotten the first
    account = await audited(topics, events).audit()
    assert found(account) == {"delivered": 3, "repeats": 1, "erasures": 1, "duplicates": 1}


async def test_a_repeat_of_what_came_before_the_range_is_known_by_the_table_of_events() -> None:
    topics, events = FakeTopics(), events_of(6, named=DERIVED)
    name = ("acme", DERIVED % 0)
    events[0][5] = FakeRecord(events[0][0].value, 0, 5, timestamp=SINCE_MS + 5)
    for each in events[0][:5]:
        tell(topics, each, "one", "delivered")
    rows = FakeRows([FakeRow(SINCE_MS, name, (0, 0))])
    asked = Period(SINCE_MS + 3, None)
    account = await audited(topics, events, rows=rows).audit(asked)
    assert found(account) == {"delivered": 2, "repeats": 1}
    assert account.ranges == [(0, 3, 6)]
    assert found(await audited(topics, events).audit(asked)) == {"delivered": 2, "missing": 1}


async def test_a_ledger_that_lags_is_waited_for_and_one_that_stands_proves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topics, events = FakeTopics(), events_of()
    for each in events[0]:
        tell(topics, each, "one", "delivered")
    world = audited(topics, events)
    world.at_once, said = 7, list[tuple[str, int, int]]()
    account = await world.audit(progress=lambda *told: said.append(told))
    assert found(account) == {"delivered": COUNT}
    assert said[0][0] == "waiting for the ledger"
    assert said[-1] == ("comparing", COUNT, COUNT)
    world.stored = world.at_once = 0
    monkeypatch.setattr(waiting, "LEDGER_WITHIN_S", 0.01)
    with pytest.raises(Unprovable, match="has not stored 40 records"):
        await world.audit()


async def test_what_the_ledger_keeps_no_more_is_not_asked_for() -> None:
    world = audited(FakeTopics(), events_of(1))
    world.kept = "at + toIntervalDay(30)"
    with pytest.raises(Unprovable, match="30 days"):
        await world.audit()
    assert found(await world.audit(period(When("29d")))) == {"missing": 1}


async def test_chunks_are_bounded_and_each_offset_is_in_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topics, events = FakeTopics(), events_of(partitions=2)
    two = subscription("two", filter={"entity_id": ["1"]})
    for some in events.values():
        for each in some:
            tell(topics, each, "one", "delivered")
    whole = await audited(topics, events, subscription("one"), two).audit()
    monkeypatch.setattr(owed, "PAIRS_MAX", 5)
    monkeypatch.setattr(owed, "OFFSETS_MAX", 7)
    parts = await audited(topics, events, subscription("one"), two).audit()
    assert found(parts) == found(whole) == {"delivered": 80, "missing": 16}
    assert parts.wrong == whole.wrong


async def test_it_prints_what_is_known_of_the_rest() -> None:
    account = await of_states("failed", attempt=3)
    first, verdict, log, partition = lines(account)
    assert first == (
        f"missing  tenant acme subscription one event {PLAIN % 0} at 0:0: failed at attempt 3"
    )
    assert verdict.startswith("NOT as it should be: 1 deliveries of 1 offsets: 1 missing.")
    assert log.startswith(f"Log {account.topic_id}, ")
    assert partition == "  partition 0: 0-1"
    told: Any = document(account)
    assert (told["proven"], told["deliveries"], told["counts"]["missing"]) == (False, 1, 1)
    assert told["missing"] == [
        {
            "tenant": "acme",
            "subscription_id": "one",
            "event_id": PLAIN % 0,
            "partition": 0,
            "offset": 0,
            "detail": "failed at attempt 3",
        }
    ]
    assert next(lines(await of_states("delivered"))).startswith("Proven: 1 deliveries of 1 offsets")


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (When(since="soon"), "--since is a whole number"),
        (When(since="1h", from_="2026-01-31T12:00:00Z"), "not both"),
        (When(from_="yesterday"), "--from: must be a time"),
        (When(from_="2026-01-31T12:00:00Z", to="2026-01-31T11:00:00Z"), "ends before"),
    ],
)
def test_a_time_that_is_none_is_refused(when: When, said: str) -> None:
    with pytest.raises(Unprovable, match=said):
        period(when)


def test_a_day_is_the_default() -> None:
    asked = period(When())
    assert asked.to_ms is None
    assert asked.from_ms == pytest.approx(time.time() * 1000 - 24 * 3_600_000, abs=60_000)


@pytest.mark.parametrize(
    "options",
    [["--since", "1h"], ["--deliveries", "--to-end"], ["--deliveries", "--to", "x"]],
    ids=" ".join,
)
def test_options_that_do_not_go_together_are_refused(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    command_line.add(parser.add_subparsers())
    asked = parser.parse_args(["audit", *options])
    assert asked.run(asked) == 2
    of_image = capsys.readouterr()
    assert of_image.out == ""
    assert of_image.err.startswith("Not proven. --")
    of_events = CliRunner().invoke(main.app, ["audit", *options])
    assert (of_events.exit_code, of_events.stdout) == (2, "")
    assert of_events.stderr.split() == of_image.err.split()


class World:
    """Random outcomes and restarts of a router with three subscriptions; `well` ends them."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.weights = [self.chance.random() for _ in range(4)]
        self.well = False
        self.events = events_of(60, self.chance.randint(1, 3))
        self.subscriptions = [
            subscription("one"),
            subscription("two.fifo"),
            subscription("three", filter={"entity_id": ["1", "2"]}),
        ]
        self.topics, self.queues = FakeTopics(), FakeQueues(self._script)
        self.committed = dict.fromkeys(self.events, 0)

    def _script(self, batch: Sequence[Delivery]) -> list[Outcome]:
        whole: Any = None
        if not self.well:
            whole = self.chance.choices(["again", "not_now", None], self.weights[:3])[0]
        return [
            Outcome(each, whole or self._single(each), "Some", message_id="m") for each in batch
        ]

    def _single(self, each: Delivery) -> Any:
        if each.position[1] % 23 == 7:
            return "never"
        return "again" if not self.well and self.chance.random() < self.weights[3] / 2 else "sent"

    def router(self) -> RouterInMemory:
        made = RouterInMemory(self.queues, table_of(self.subscriptions), self.events, self.topics)
        made.log.committed_offsets = self.committed
        return made

    def audited(self, router: RouterInMemory) -> FakeAudited:
        made = FakeAudited(self.topics, router.log, self.subscriptions)
        made.at_once = self.chance.randint(20, 400)
        return made

    @property
    def routed(self) -> bool:
        return all(each == 60 for each in self.committed.values())

    async def life(self) -> Account:
        """The router for a while, audited while it runs; then it is gone."""
        router, chance = self.router(), self.chance
        async with router:
            begun = asyncio.create_task(self.audited(router).audit())
            for _ in range(chance.randint(1, 4)):
                number = chance.choice([*self.events])
                first = self.committed[number]
                if first < 60:
                    await router.step(number, first, min(60, first + chance.randint(1, 40)))
                await asyncio.sleep(chance.choice([0, 0.002]))
            account = await begun
            if self.routed:
                self.well = True
                await router.caught_up()
        return account


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause is long."""
    monkeypatch.setattr(lanes, "IDLE_S", 0.001)
    monkeypatch.setattr(lanes, "AGAIN_S", 0.001)
    monkeypatch.setattr(breaker, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(waiting, "LOOK_S", 0.001)


@settings(max_examples=examples(30))
@given(st.integers(0, 2**32))
def test_whatever_fails_it_is_proven_and_without_one_record_of_the_ledger_that_one_is_named(
    seed: int,
) -> None:
    asyncio.run(_story(seed))


async def _story(seed: int) -> None:
    world = World(seed)
    while not world.well:
        account = await world.life()
        assert account.proven, [*lines(account)]
        assert account.judged == 60 * len(world.events) * 2 + 24 * len(world.events)
    at_last = world.audited(world.router())
    account = await at_last.audit()
    assert account.proven
    assert not any(account.counts[kind] for kind in WAITS)
    ended = [
        (at, each)
        for at, each in enumerate(world.topics.attempts)
        if each.state in ("delivered", "dead")
    ]
    pairs = [(each.partition, each.offset, each.subscription_id) for _, each in ended]
    at, lost = world.chance.choice(ended)
    others = pairs.count((lost.partition, lost.offset, lost.subscription_id)) - 1
    at_last.lost = {at}
    account = await at_last.audit()
    named = [(each.partition, each.offset, each.subscription_id, each.event_id)
             for each in account.wrong["missing"]]  # fmt: skip
    pair = (lost.partition, lost.offset, lost.subscription_id, lost.event_id)
    assert named == ([] if others else [pair])
    assert account.proven is bool(others)


async def test_a_router_that_does_not_keep_who_is_behind_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def save(self: Places) -> None:
        """Keeps nothing."""

    monkeypatch.setattr(Places, "save", save)
    world = World(1)
    world.weights = [0, 1, 0, 0]  # the queues take nothing
    router = world.router()
    router.route.assigned(world.events)
    router.places.learn({}, {})
    for number in world.events:
        await router.step(number, 0, 60)
    account = await world.audited(world.router()).audit()
    assert found(account) == {"missing": account.judged}
    assert account.judged == 144 * len(world.events)
