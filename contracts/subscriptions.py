"""Subscriptions: which events of a tenant go to which queue, as clients send and read them.

A filter is an EventBridge event pattern (`contracts/filters`). What was stored before patterns, the
accepted values per field, is a pattern that means the same. `subscription_table.py` is what a
reader of the topic holds.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.delivery_settings import DeliverySettings, DeliverySettingsPatch
from contracts.destinations import SqsDestination
from contracts.ownership import Ownership, queues_of
from contracts.pauses import Missed, Pause, Start, new_start

DESCRIPTION_MAX, LABELS_MAX, LABEL_TEXT_MAX = 1024, 20, 256
LABEL_PATTERN = r"^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$"

LabelName = Annotated[str, StringConstraints(pattern=LABEL_PATTERN)]
LabelText = Annotated[str, StringConstraints(max_length=LABEL_TEXT_MAX)]

FILTER = (
    "An event pattern as EventBridge has them, over event_type, event_source, operation, entity_id,"
    " entity_name, key_attributes, payload and fault; `{}` accepts every event."
)

KEPT_BY_SERVICE = ("inactive", "ownership", "paused", "started")
"""Members that clients read and do not write."""

encode_json = msgspec.json.Encoder(decimal_format="number").encode
"""JSON in which a `Decimal` is the number that it was read from."""


class SubscriptionDraft(BaseModel):
    """The body of POST and PUT /api/v1/subscriptions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    description: Annotated[str, StringConstraints(max_length=DESCRIPTION_MAX)] | None = Field(
        None, description="For people; nothing depends on it."
    )
    labels: dict[LabelName, LabelText] = Field(
        default_factory=dict,
        max_length=LABELS_MAX,
        description="Names and texts of the client's own; nothing depends on them.",
    )
    filter: dict[str, Any] = Field(description=FILTER)
    destination: SqsDestination
    delivery: DeliverySettings = Field(default_factory=DeliverySettings)
    enabled: bool = Field(
        True, description="A disabled subscription receives nothing; true when left out."
    )


class SubscriptionPatch(BaseModel):
    """The body of PATCH: the members to change; null takes one away (RFC 7396). For the documents."""

    name: str | None = None
    description: str | None = None
    labels: dict[str, str | None] | None = None
    filter: dict[str, Any] | None = Field(None, description="Merged too: null takes a field out.")
    destination: SqsDestination | None = None
    delivery: DeliverySettingsPatch | None = Field(
        None, description="Merged too: null takes it, or a member, back to the default."
    )
    enabled: bool | None = None


class Subscription(SubscriptionDraft):
    """A stored subscription."""

    id: str = Field(description="A UUID, unique within the tenant.")
    inactive: str | None = Field(
        None,
        description="Why it receives nothing: what is stored cannot be read here, a queue is not confirmed"
        " yet, or it is paused. Absent otherwise.",
    )
    ownership: Ownership | None = Field(
        None,
        description="Why its queues are the tenant's to name, kept by the service. Absent where it was"
        " stored before that was asked.",
    )
    paused: Pause | None = Field(
        None,
        description="Its queue took nothing for too long, so nothing is sent until it is enabled, or"
        " changed in any other way. Absent otherwise.",
    )
    started: Start | None = Field(
        None,
        description="When it went on last after it was disabled or paused, and what became of what it"
        " had missed. Absent where it never was.",
    )

    @property
    def active(self) -> bool:
        """Whether it receives anything at all."""
        proven = self.ownership is None or not self.ownership.waiting
        return self.enabled and self.inactive is None and proven

    @property
    def stopped(self) -> bool:
        """Whether it keeps its position: disabled, paused, or not to be read by this release.

        Not while it waits for its owner: until then it has no position.
        """
        waits = self.ownership is not None and self.ownership.waiting
        return not self.active and not waits

    @property
    def queues(self) -> dict[str, SqsDestination]:
        """The queues that it names, by their pointers."""
        return queues_of(self.destination, self.delivery)

    def while_paused(self, pause: Pause) -> "Subscription":
        """The same, as the service leaves it alone."""
        return self.model_copy(update={"inactive": pause.inactive(), "paused": pause})

    def document(self) -> dict[str, Any]:
        """What POST, GET and PUT answer, as an object."""
        return self.model_dump(exclude_unset=True, warnings="error")

    def represent(self) -> bytes:
        """The JSON that POST, GET and PUT answer and the topic keeps."""
        return encode_json(self.document())


def create(
    draft: SubscriptionDraft,
    subscription_id: str,
    ownership: Ownership | None = None,
    started: Start | None = None,
) -> Subscription:
    """The subscription that `draft` becomes under its id, with every default written out."""
    fields: dict[str, Any] = {name: getattr(draft, name) for name in SubscriptionDraft.model_fields}
    fields["delivery"] = draft.delivery.written_out()
    if ownership is not None:
        fields["ownership"] = ownership
        if reason := ownership.inactive():
            fields["inactive"] = reason
    if started is not None:
        fields["started"] = started
    return Subscription(**fields, id=subscription_id)


def started_by(before: Subscription, draft: SubscriptionDraft, missed: Missed) -> Start | None:
    """What a change says of going on: a new start where it enables, or lifts a pause."""
    goes_on = draft.enabled and (not before.enabled or before.paused is not None)
    return new_start(missed) if goes_on else before.started


def read_stored(document: Mapping[str, Any]) -> Subscription:
    """What the topic keeps. Raises pydantic's `ValidationError`.

    A release before patterns wrote no labels, and a null in its filter left the field out. One before
    delivery settings wrote none: it reads as the defaults, and is shown as it was written.
    """
    if "labels" in document or not isinstance(document.get("filter"), dict):
        return Subscription.model_validate(document)
    kept = {name: values for name, values in document["filter"].items() if values is not None}
    return Subscription.model_validate({**document, "labels": {}, "filter": kept})


def unreadable(subscription_id: str, reason: str) -> Subscription:
    """Stands for a record that cannot be read: shown, and inactive."""
    fields: dict[str, Any] = {"id": subscription_id, "enabled": False, "inactive": reason}
    return Subscription.model_construct({"id", "inactive"}, **fields)


def subscription_key(tenant: str, subscription_id: str) -> bytes:
    """The record key of a subscription; a record without value under it deletes it."""
    return f"{tenant}:{subscription_id}".encode()
