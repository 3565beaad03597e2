"""Subscriptions: which events of a tenant go to which queue, and their records on Kafka.

The `subscriptions` topic is compacted and keyed by tenant and id, so its records are the table: a
reader applies them in order from the beginning and holds `Subscriptions`. A filter is a subset of
the EventBridge event patterns: per field the accepted values, AND across fields. What it does not
know it refuses.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from contracts.encoding.codec import EventJson
from contracts.events import EntityId, EntityName, EventSource, EventType
from contracts.tenants import is_tenant

# Of ASCII alone: `\d` would take every digit of Unicode. A queue's name has 80 characters at the most,
# `.fifo` among them. Which regions there are is asked by who stores a subscription (service/regions.py).
ARN_PATTERN = (
    r"^arn:aws(?:-[a-z]{1,8}){0,2}:sqs:[a-z]{2,8}(?:-[a-z]{1,16}){1,3}-[0-9]{1,2}:[0-9]{12}:"
    r"(?:[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo)$"
)

Values = Field(default=None, min_length=1, max_length=100)


class Filter(BaseModel):
    """Accepted values per top-level field; a field left out accepts all, `{}` accepts every event."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    entity_id: list[EntityId] | None = Values
    entity_name: list[EntityName] | None = Values
    event_source: list[EventSource] | None = Values
    event_type: list[EventType] | None = Values

    def accepts(self, event: EventJson) -> bool:
        """Whether `event` has an accepted value in every field that this filter names."""
        return all(
            (accepted := getattr(self, name)) is None or getattr(event, name) in accepted
            for name in self.model_fields_set
        )


class SqsDestination(BaseModel):
    """A queue by its ARN: it names region, account and queue, and carries no endpoint to abuse."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    type: Literal["sqs"]
    arn: Annotated[str, StringConstraints(pattern=ARN_PATTERN)] = Field(
        description="arn:aws:sqs:REGION:ACCOUNT:QUEUE"
    )

    @property
    def aws_partition(self) -> str:
        """`aws`, or the name of AWS in China and other closed parts of it."""
        return self.arn.split(":")[1]

    @property
    def region(self) -> str:
        """The queue's AWS region."""
        return self.arn.split(":")[3]

    @property
    def account(self) -> str:
        """The 12 digits of the account that owns the queue."""
        return self.arn.split(":")[4]

    @property
    def queue(self) -> str:
        """The queue's name; that of a FIFO queue ends in `.fifo`."""
        return self.arn.split(":")[5]


class SubscriptionDraft(BaseModel):
    """The body of POST and PUT /api/v1/subscriptions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    filter: Filter
    destination: SqsDestination
    enabled: bool = Field(
        True, description="A disabled subscription receives nothing; true when left out."
    )


class Subscription(SubscriptionDraft):
    """A stored subscription."""

    id: str = Field(description="A UUID, unique within the tenant.")

    def represent(self) -> bytes:
        """The JSON that POST, GET and PUT answer and the topic keeps; unset filter fields left out."""
        return self.model_dump_json(exclude_unset=True).encode()


def create(draft: SubscriptionDraft, subscription_id: str) -> Subscription:
    """The subscription that `draft` becomes under its id, with every default written out."""
    fields = {name: getattr(draft, name) for name in SubscriptionDraft.model_fields}
    return Subscription(**fields, id=subscription_id)


def subscription_key(tenant: str, subscription_id: str) -> bytes:
    """The record key of a subscription; a record without value under it deletes it."""
    return f"{tenant}:{subscription_id}".encode()


class UnreadableSubscription(Exception):
    """A record on `subscriptions` that cannot be applied; the message says why."""


class Subscriptions:
    """All subscriptions of all tenants, as the records applied so far leave them."""

    def __init__(self) -> None:
        self._by_tenant: dict[str, dict[str, Subscription]] = {}

    def apply(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record of the topic, in its order. Raises `UnreadableSubscription`."""
        tenant, _, subscription_id = (key or b"").decode("utf-8", "replace").partition(":")
        if not is_tenant(tenant) or not subscription_id:
            raise UnreadableSubscription("the key is not tenant:id")
        if value is None:
            self._by_tenant.get(tenant, {}).pop(subscription_id, None)
            return
        try:
            subscription = Subscription.model_validate_json(value)
        except ValidationError as error:
            raise UnreadableSubscription(str(error.errors(include_input=False)[0])) from None
        self._by_tenant.setdefault(tenant, {})[subscription_id] = subscription

    def of(self, tenant: str) -> list[Subscription]:
        """The tenant's subscriptions in the order of their ids, which is that of their creation."""
        return sorted(self._by_tenant.get(tenant, {}).values(), key=lambda each: each.id)

    def get(self, tenant: str, subscription_id: str) -> Subscription | None:
        """One subscription, or None."""
        return self._by_tenant.get(tenant, {}).get(subscription_id)

    def matching(self, tenant: str, event: EventJson) -> Iterator[Subscription]:
        """The enabled subscriptions whose filter accepts `event`."""
        for subscription in self._by_tenant.get(tenant, {}).values():
            if subscription.enabled and subscription.filter.accepts(event):
                yield subscription
