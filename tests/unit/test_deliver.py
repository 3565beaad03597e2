"""What one subscription holds stops nobody else: messages that raise, regions that are none, codes."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from contracts import subscription_table
from contracts.deliveries import Delivery
from contracts.destinations import SqsDestination
from contracts.encoding.recordbatch import Record
from contracts.filters import Failure, Filter, Index, View, parse
from contracts.subscription_table import Subscriptions
from contracts.subscriptions import Subscription, encode_json
from contracts.topics import DELIVERIES_DEAD
from processors.consume.step import Transient
from processors.deliver import deliver as delivering
from processors.deliver import route
from processors.deliver.deliver import Deliver, waves
from processors.deliver.destinations.sqs.queues import SqsQueues
from processors.deliver.outcomes import Outcome
from processors.deliver.parked import Place
from processors.deliver.route import Planned, plan_of
from service.connections import SqsConnection
from service.kafka.partition import Unaccepted
from tests.builders import an_event, represented
from tests.fakes import FakeRecord
from tests.queues import arn

KEY = ("acme", "one")
ID = "01a20d33-994f-74a1-8936-e15ecec113da"
BROKEN, AWAY = 3, 6


class Queues:
    """Take single messages; a batch raises what its `BROKEN` raises, `AWAY` fails while it is away."""

    def __init__(self, raised: Exception, away: bool = False) -> None:
        self.sent: list[int] = []
        self.away = away
        self._raised = raised

    async def send(
        self, destination: SqsDestination, deliveries: Sequence[Delivery]
    ) -> list[Outcome]:
        if any(each.position[1] == BROKEN for each in deliveries):
            raise self._raised
        [single] = deliveries
        if self.away and single.position[1] == AWAY:
            return [Outcome(single, "again", "503")]
        self.sent.append(single.position[1])
        return [Outcome(single, "sent")]


class Dead:
    """Stands for the log: takes what is parked."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, topic: str, record: Record) -> "asyncio.Future[int]":
        assert topic == DELIVERIES_DEAD
        self.records.append(record)
        taken: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        taken.set_result(0)
        return taken


def a_subscription(queue_arn: str = arn("q"), **fields: Any) -> Subscription:
    destination = SqsDestination.model_construct(type="sqs", arn=queue_arn)
    defaults: dict[str, Any] = {
        "id": "one",
        "name": "n",
        "filter": {},
        "enabled": True,
        "labels": {},
    }
    return Subscription.model_construct(**defaults | fields | {"destination": destination})


def a_table(*ids: str) -> Subscriptions:
    """Subscriptions to everything, of acme."""
    table = Subscriptions()
    for each in ids:
        table.apply(f"acme:{each}".encode(), a_subscription(id=each).represent())
    return table


def deliveries(count: int) -> list[Delivery]:
    return [Delivery("{}", {"event_id": str(n)}, "g", (0, n)) for n in range(count)]


def deliver(queues: Any, dead: Dead, settled: set[tuple[int, int]]) -> list[int]:
    """The offsets that are left."""
    log: Any = dead
    made = Deliver(queues, log)(KEY, a_subscription(), deliveries(10), settled)
    return [each.delivery.position[1] for each in asyncio.run(made)]


def test_a_message_that_raises_is_parked_with_its_cause_and_the_others_are_sent() -> None:
    queues, dead = Queues(ValueError("no such character")), Dead()
    assert deliver(queues, dead, set()) == []
    assert queues.sent == [each for each in range(10) if each != BROKEN]
    [record] = dead.records
    assert b"no such character" in record.content
    assert arn("q").encode() in record.content


def test_what_is_left_begins_with_the_first_that_failed_and_nothing_is_sent_before_it() -> None:
    queues, dead = Queues(ValueError("broken"), away=True), Dead()
    settled: set[tuple[int, int]] = set()
    assert deliver(queues, dead, settled) == [6, 7, 8, 9]
    queues.away = False
    assert deliver(queues, dead, settled) == []
    assert queues.sent == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert len(dead.records) == 1


async def test_a_queue_that_is_slow_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        async def send(
            self, destination: SqsDestination, batch: Sequence[Delivery]
        ) -> list[Outcome]:
            return [Outcome(each, "sent") for each in batch]

    monkeypatch.setattr(delivering, "PATIENCE_S", -1.0)
    nothing: Any = None
    left = await Deliver(Slow(), nothing)(KEY, a_subscription(), deliveries(25), set(), calls=1)
    assert [each.delivery.position[1] for each in left] == list(range(10, 25))
    assert not any(each.tried for each in left)


async def test_what_was_sent_beside_a_message_that_cannot_be_parked_is_not_sent_again() -> None:
    class Choosy:
        async def send(
            self, destination: SqsDestination, batch: Sequence[Delivery]
        ) -> list[Outcome]:
            return [Outcome(each, "sent" if each.position[1] else "never") for each in batch]

    class Away:
        def append(self, topic: str, record: Record) -> "asyncio.Future[int]":
            raise Unaccepted("away")

    away: Any = Away()
    settled: set[tuple[int, int]] = set()
    with pytest.raises(Transient):
        await Deliver(Choosy(), away)(KEY, a_subscription(), deliveries(40), settled)
    assert settled == {(0, n) for n in range(1, 40)}


def test_batches_go_side_by_side_but_an_entity_of_a_fifo_queue_one_after_another() -> None:
    sent = [Delivery("{}", {}, f"entity {n % 3}", (0, n)) for n in range(25)]
    standard, fifo = (a_subscription(arn(name)).destination for name in ("q", "q.fifo"))
    [wave] = waves(sent, standard)
    assert [len(batch) for batch in wave] == [10, 10, 5]
    order = [[each.position[1] for batch in wave for each in batch] for wave in waves(sent, fifo)]
    assert order == [[n for n in (at, at + 1, at + 2) if n < 25] for at in range(0, 25, 3)]
    assert [len(wave) for wave in waves(sent * 10, standard)] == [4] * 6 + [1]
    assert list(waves([], fifo)) == []


@pytest.mark.parametrize(
    "error", [RuntimeError("can't start new thread"), OSError("no descriptors")]
)
def test_what_this_machine_lacks_refuses_no_message(error: Exception) -> None:
    dead = Dead()
    assert deliver(Queues(error), dead, set()) == list(range(10))
    assert dead.records == []


def test_a_filter_that_raises_takes_its_own_delivery_alone_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, record = a_table("one", "two"), FakeRecord(represented(an_event(), ID))
    found = Index.matching
    monkeypatch.setattr(
        Index,
        "matching",
        lambda *asked: [
            Failure("one", KeyError("filter")) if each == "one" else each for each in found(*asked)
        ],
    )
    assert_one_is_parked(plan_of(table, [record]))


def test_an_index_that_raises_stops_nobody_but_whom_it_concerns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, record = a_table("one", "two"), FakeRecord(represented(an_event(), ID))

    def broken(*asked: object) -> None:
        raise KeyError("index")

    def matches(filter_: Filter, view: View) -> bool:
        if filter_ is not filters["two"]:
            raise KeyError("filter")
        return True

    filters = {name: parse({}) for name in ("one", "two")}
    monkeypatch.setattr(Index, "matching", broken)
    monkeypatch.setattr(subscription_table, "matches", matches)
    monkeypatch.setattr(subscription_table, "filter_of", lambda each: filters[each.id])
    assert_one_is_parked(plan_of(table, [record]))


def assert_one_is_parked(plan: dict[tuple[str, str], Planned]) -> None:
    assert [len(plan["acme", name].deliveries) for name in ("one", "two")] == [0, 1]
    [unmade] = plan["acme", "one"].unmade
    assert (unmade.state, unmade.delivery.position) == ("never", (0, 0))
    assert "filter" in unmade.reason
    assert not plan["acme", "two"].unmade


def test_who_is_behind_in_a_partition_is_left_out_there_alone() -> None:
    records = [FakeRecord(represented(an_event(), ID), partition, 5) for partition in (0, 1)]
    planned = plan_of(a_table("one"), records, {Place("acme", "one", 1)})["acme", "one"]
    assert [each.position for each in planned.deliveries] == [(0, 5)]


def test_the_groups_of_messages_are_as_the_subscription_wants_them() -> None:
    table, record = a_table("old"), FakeRecord(represented(an_event(), ID))
    for each in ("none", "tenant", "entity"):
        document = a_subscription(id=each).document() | {"delivery": {"fairness": each}}
        table.apply(f"acme:{each}".encode(), encode_json(document))
    plan = plan_of(table, [record])
    groups = {name: planned.deliveries[0].fair_group for (_, name), planned in plan.items()}
    entity = plan["acme", "entity"].deliveries[0].group
    assert groups == {"old": "acme", "none": "", "tenant": "acme", "entity": entity}


def test_an_event_of_a_tenant_without_active_subscriptions_is_not_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = a_table()
    table.apply(b"acme:one", a_subscription(enabled=False).represent())
    monkeypatch.setattr(route, "decode_event", lambda value: pytest.fail("decoded"))
    assert plan_of(table, [FakeRecord(b"no event")]) == {}


async def test_an_endpoint_that_is_none_gives_nothing_up() -> None:
    queues, dead = SqsQueues(SqsConnection(endpoint_url="sqs"), 1), Dead()
    log: Any = dead
    [left] = await Deliver(queues, log)(KEY, a_subscription(), deliveries(1), set())
    assert (left.state, left.code, dead.records) == ("not_now", "InvalidEndpoint", [])
    await queues.close()


@pytest.mark.parametrize("region", ["eu-west-\u0661", "eu-" + "x" * 64 + "-1", "a..b-1"])
async def test_a_region_that_is_none_is_refused_and_not_tried_for_ever(region: str) -> None:
    queues = SqsQueues(SqsConnection(connect_timeout_s=1, read_timeout_s=1), 1)
    subscription = a_subscription(f"arn:aws:sqs:{region}:000000000000:q")
    dead: Any = Dead()
    left = await Deliver(queues, dead)(KEY, subscription, deliveries(1), set())
    assert left == []
    assert len(dead.records) == 1
    await queues.close()
