"""What one subscription holds stops nobody else: messages that raise, regions that are none, codes."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

import pytest

from contracts import subscription_table
from contracts.deliveries import Delivery
from contracts.destinations import SqsDestination
from contracts.filters import Failure, Filter, Index, View, parse
from contracts.subscription_table import Subscriptions
from contracts.subscriptions import Subscription, encode_json
from processors.deliver import plan
from processors.deliver.dead_letters import DeadLetters
from processors.deliver.deliver import CALLS_AT_ONCE, Deliver
from processors.deliver.destinations.sqs.queues import SqsQueues
from processors.deliver.firsts import Firsts
from processors.deliver.lane import Lane
from processors.deliver.ledger import Ledger
from processors.deliver.outcomes import Outcome
from processors.deliver.place import Place
from processors.deliver.plan import Planned, plans
from processors.deliver.sender import Sender
from processors.deliver.slots import Slots
from processors.deliver.waves import waves
from service.connections import SqsConnection
from tests.builders import an_event, represented
from tests.fakes import FakeRecord
from tests.fakes.delivering import FakeTopics
from tests.queues import arn

KEY = ("acme", "one")
ID = "01a20d33-994f-74a1-8936-e15ecec113da"
BROKEN, AWAY = 3, 6


def planned(
    table: Subscriptions, *records: FakeRecord, behind: Collection[Place] = ()
) -> dict[tuple[str, str], Planned]:
    """The plan of all `records`."""
    [made] = plans(lambda: table, records, Firsts(), behind)
    return made.of


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


async def deliver(
    queues: Any,
    topics: FakeTopics,
    lane: Lane | None = None,
    subscription: Subscription | None = None,
) -> list[int]:
    """Ten messages; the offsets that are left."""
    log: Any = topics
    send, ledger = Sender(queues, Slots(4)), Ledger(log)
    apart = asyncio.Semaphore(1)
    made = Deliver(send, ledger, DeadLetters(send, ledger, log, apart), 1.0, apart)
    left = await made(lane or Lane(KEY), subscription or a_subscription(), deliveries(10))
    return [each.delivery.position[1] for each in left]


async def test_a_message_that_raises_is_parked_with_its_cause_and_the_others_are_sent() -> None:
    queues, topics = Queues(ValueError("no such character")), FakeTopics()
    assert await deliver(queues, topics) == []
    assert queues.sent == [each for each in range(10) if each != BROKEN]
    [record] = topics.dead
    told = dict(record.headers)
    assert b"no such character" in (told["reason"] or b"")
    assert told["destination"] == arn("q").encode()


async def test_what_is_left_begins_with_the_first_that_failed_and_nothing_is_sent_before_it() -> (
    None
):
    queues, topics, lane = Queues(ValueError("broken"), away=True), FakeTopics(), Lane(KEY)
    assert await deliver(queues, topics, lane) == [6, 7, 8, 9]
    queues.away = False
    assert await deliver(queues, topics, lane) == []
    assert queues.sent == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert len(topics.dead) == 1


def test_batches_go_side_by_side_but_an_entity_of_a_fifo_queue_one_after_another() -> None:
    sent = [Delivery("{}", {}, f"entity {n % 3}", (0, n)) for n in range(25)]
    standard, fifo = (a_subscription(arn(name)).destination for name in ("q", "q.fifo"))
    [wave] = waves(sent, standard, CALLS_AT_ONCE)
    assert [len(batch) for batch in wave] == [10, 10, 5]
    order = [
        [each.position[1] for batch in wave for each in batch]
        for wave in waves(sent, fifo, CALLS_AT_ONCE)
    ]
    assert order == [[n for n in (at, at + 1, at + 2) if n < 25] for at in range(0, 25, 3)]
    assert [len(wave) for wave in waves(sent * 10, standard, 4)] == [4] * 6 + [1]
    assert list(waves([], fifo, CALLS_AT_ONCE)) == []


@pytest.mark.parametrize(
    "error", [RuntimeError("can't start new thread"), OSError("no descriptors")]
)
async def test_what_this_machine_lacks_refuses_no_message(error: Exception) -> None:
    topics = FakeTopics()
    assert await deliver(Queues(error), topics) == list(range(10))
    assert topics.dead == []


def test_each_plan_asks_for_the_table_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "DELIVERIES_MAX", 1)
    value, tables = represented(an_event(), ID), [a_table("one")]
    records = [FakeRecord(value, 0, offset) for offset in range(2)]
    made = plans(lambda: tables[-1], records, Firsts())
    assert set(next(made).of) == {("acme", "one")}
    tables.append(a_table("two"))  # its follower has connected anew
    assert set(next(made).of) == {("acme", "two")}


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
    assert_one_is_parked(planned(table, record))


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
    assert_one_is_parked(planned(table, record))


def assert_one_is_parked(plan: dict[tuple[str, str], Planned]) -> None:
    assert [len(plan["acme", name].deliveries) for name in ("one", "two")] == [0, 1]
    [unmade] = plan["acme", "one"].unmade
    assert (unmade.state, unmade.delivery.position) == ("never", (0, 0))
    assert "filter" in unmade.reason
    assert not plan["acme", "two"].unmade


def test_who_is_behind_in_a_partition_is_left_out_there_alone() -> None:
    records = [FakeRecord(represented(an_event(), ID), partition, 5) for partition in (0, 1)]
    found = planned(a_table("one"), *records, behind={Place("acme", "one", 1)})["acme", "one"]
    assert [each.position for each in found.deliveries] == [(0, 5)]


def test_the_groups_of_messages_are_as_the_subscription_wants_them() -> None:
    table, record = a_table("old"), FakeRecord(represented(an_event(), ID))
    for each in ("none", "tenant", "entity"):
        document = a_subscription(id=each).document() | {"delivery": {"fairness": each}}
        table.apply(f"acme:{each}".encode(), encode_json(document))
    made = planned(table, record)
    groups = {name: each.deliveries[0].fair_group for (_, name), each in made.items()}
    entity = made["acme", "entity"].deliveries[0].group
    assert groups == {"old": "acme", "none": "", "tenant": "acme", "entity": entity}


def test_an_event_of_a_tenant_without_active_subscriptions_is_not_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = a_table()
    table.apply(b"acme:one", a_subscription(enabled=False).represent())
    monkeypatch.setattr(plan, "decode_event", lambda value: pytest.fail("decoded"))
    assert planned(table, FakeRecord(b"no event")) == {}


async def test_an_endpoint_that_is_none_gives_nothing_up() -> None:
    queues, topics, lane = SqsQueues(SqsConnection(endpoint_url="sqs"), 1), FakeTopics(), Lane(KEY)
    assert await deliver(queues, topics, lane) == list(range(10))
    assert lane.breaker.why is not None
    assert (lane.breaker.is_open, lane.breaker.why.code) == (True, "InvalidEndpoint")
    assert topics.dead == []
    await queues.close()


@pytest.mark.parametrize("region", ["eu-west-\u0661", "eu-" + "x" * 64 + "-1", "a..b-1"])
async def test_a_region_that_is_none_opens_the_breaker(region: str) -> None:
    queues = SqsQueues(SqsConnection(connect_timeout_s=1, read_timeout_s=1), 1)
    subscription = a_subscription(f"arn:aws:sqs:{region}:000000000000:q")
    topics, lane = FakeTopics(), Lane(KEY)
    assert await deliver(queues, topics, lane, subscription) == list(range(10))
    assert lane.breaker.is_open  # people are told; it may be one that this release does not know
    assert topics.dead == []
    await queues.close()
