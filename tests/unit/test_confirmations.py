"""Who asks a queue's owner, when, and how often: the router's side of confirmations."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from contracts.deliveries import Delivery
from contracts.destinations import SqsDestination
from contracts.ownership import Ownership, Proof
from contracts.subscription_table import Subscriptions
from contracts.subscriptions import SubscriptionDraft, create, subscription_key
from processors.deliver import confirmations
from processors.deliver.confirmations import AGAIN_S, Confirmations
from processors.deliver.outcomes import Outcome, State
from service.destinations import Destinations
from tests.queues import arn

SECRET = "0123456789abcdef0123456789abcdef"
NOW = datetime.now(UTC)


class Router:
    """`Confirmations` with partitions, a table and a sender of the test's own."""

    def __init__(self, secret: str = SECRET) -> None:
        self.partitions: tuple[int, ...] = (0, 1)
        self.table, self.ready = Subscriptions(), True
        self.state: State = "sent"
        self.sent: list[tuple[str, Delivery]] = []
        parts: Any = self
        self.asking = Confirmations(parts, parts, parts, Destinations(secret=SecretStr(secret)))

    async def __call__(
        self, destination: SqsDestination, batch: Sequence[Delivery]
    ) -> list[Outcome]:
        self.sent += [(destination.queue, each) for each in batch]
        return [Outcome(each, self.state, "code") for each in batch]

    def subscribe(
        self,
        subscription_id: str,
        tenant: str = "acme",
        queue: str = "q",
        asked_at: datetime = NOW,
        **members: Any,
    ) -> None:
        draft = SubscriptionDraft(
            name="x",
            filter={},
            destination=SqsDestination(type="sqs", arn=arn(queue)),
            **members,
        )
        proof = Proof(by="confirmation", state="pending", asked_at=asked_at.isoformat())
        stored = create(draft, subscription_id, Ownership(destination=proof)).represent()
        self.table.apply(subscription_key(tenant, subscription_id), stored)

    async def looks(self, times: int = 1) -> list[str]:
        """The queues that are asked meanwhile."""
        before = len(self.sent)
        for _ in range(times):
            await self.asking.look()
        return [queue for queue, _ in self.sent[before:]]


async def test_it_is_asked_once_with_what_the_owner_needs() -> None:
    router = Router()
    router.subscribe("one")
    assert await router.looks(3) == ["q"]
    _, message = router.sent[0]
    body = json.loads(message.body)
    assert body.keys() == {"token", "subscription", "expires_at", "confirm"}
    assert "/api/v1/subscriptions/one/confirm" in body["confirm"]
    assert message.size_bytes < 1024  # the least that a queue may take


async def test_who_has_not_partition_0_asks_nobody_and_who_gets_it_back_asks_again() -> None:
    router = Router()
    router.subscribe("one")
    assert await router.looks() == ["q"]
    router.partitions = (1,)
    assert await router.looks() == []
    router.partitions = (0,)
    assert await router.looks() == []  # the queue was asked less than a minute ago
    router.asking._again_at_s.clear()
    assert await router.looks(2) == ["q"]


async def test_nobody_is_asked_before_the_subscriptions_are_known_or_without_a_secret() -> None:
    router = Router()
    router.subscribe("one")
    router.ready = False
    assert await router.looks() == []
    without = Router(secret="")
    without.subscribe("one")
    await without.asking.run()  # ends at once
    assert without.sent == []


@pytest.mark.parametrize(
    "members", [{"asked_at": NOW - timedelta(days=1)}, {"enabled": False}], ids=["late", "disabled"]
)
async def test_what_cannot_be_confirmed_now_is_not_asked(members: dict[str, Any]) -> None:
    router = Router()
    router.subscribe("one", **members)
    assert await router.looks() == []


@pytest.mark.parametrize("state", ["again", "not_now", "never"])
async def test_a_queue_that_does_not_take_the_question_is_asked_again_after_a_minute(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = Router()
    router.state = state
    router.subscribe("one")
    assert await router.looks(3) == ["q"]
    now_s = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now_s + AGAIN_S)
    router.state = "sent"
    assert await router.looks(3) == ["q"]


async def test_queues_that_fail_hold_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    router = Router()
    router.state = "again"
    for number in range(30):
        router.subscribe(f"bad-{number}", queue=f"a{number}")
    assert len(await router.looks(3)) == 30
    now_s = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now_s + AGAIN_S)
    router.subscribe("z", queue="z")
    assert "z" in await router.looks()


async def test_questions_that_wait_for_their_answer_cost_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    router = Router()
    router.subscribe("one")
    assert await router.looks(2) == ["q"]
    monkeypatch.setattr(confirmations, "_waiting", lambda table: pytest.fail("looked through"))
    assert await router.looks(3) == []
    monkeypatch.undo()
    router.subscribe("two", queue="other")
    assert await router.looks(2) == ["other"]


async def test_two_tenants_have_one_queue_asked_each() -> None:
    router = Router()
    router.subscribe("one")
    router.subscribe("two", tenant="other")
    router.subscribe("three")
    assert await router.looks(3) == ["q", "q"]
    assert {each.attributes["tenant"] for _, each in router.sent} == {"acme", "other"}


async def test_one_that_is_deleted_or_confirmed_is_asked_no_more() -> None:
    router = Router()
    router.subscribe("one")
    router.table.apply(subscription_key("acme", "one"), None)
    assert await router.looks() == []
    assert router.table.unconfirmed == {}
