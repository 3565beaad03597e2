"""What became of deliveries, as the API tells it: of an event, of a subscription, of its queue.

The ledger has a record for each attempt; a delivery is in the state that its newest one says.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from contracts.attempts import Origin
from contracts.criteria import LIMIT_DEFAULT, LIMIT_MAX, Instant, whole_number

DeliveryState = Literal["delivered", "waiting", "dead", "cancelled"]
AttemptState = Literal["delivered", "failed", "dead"]
STATE = (
    "waiting: not delivered yet, it will be tried; dead: given up; cancelled: its subscription was"
    " deleted before, or skipped it when it was enabled."
)


class DeliveryCriteria(BaseModel):
    """Which deliveries of a subscription are meant. Times are ms since 1970."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: DeliveryState | None = Field(None, description=f"In this state. {STATE}")
    attempts: AttemptState | None = Field(
        None,
        description="Every attempt that ended so, as `last_hour` of the health counts them, in place of each"
        " delivery's latest one. Not together with `state`.",
    )
    code: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        None, description="Whose latest attempt had this error code, exactly."
    )
    job_id: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        None, description="Whose latest attempt was of this redrive or replay."
    )
    from_: Instant | None = Field(
        None, alias="from", description="Whose latest attempt was then or later (RFC 3339)."
    )
    to: Instant | None = Field(None, description="Whose latest attempt was before (RFC 3339).")


class DeliverySearch(DeliveryCriteria):
    """One request: the criteria, how much, and from where on."""

    limit: Annotated[int, BeforeValidator(whole_number)] = Field(
        LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="Most deliveries of a page."
    )
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        None, description="`next` of the page before, with the same criteria."
    )


class Attempted(BaseModel):
    """One attempt, or the end of them."""

    number: int = Field(
        description="How often it has been sent by then, from 1; 0 for what was never."
    )
    state: Literal["delivered", "failed", "dead", "cancelled"]
    at: str = Field(json_schema_extra={"format": "date-time"})
    origin: Origin
    latency_ms: int = Field(description="How long the call took that it went with.")
    code: str = Field(description="Error code, the queue's own; empty for none.")
    message: str = Field(description="What the queue said.")
    message_id: str = Field(description="The message's id in the queue; empty for none.")
    exhausted: str = Field(description="The bound that was reached; empty for none.")
    job_id: str = Field(description="The redrive or replay that sent it; empty for none.")


class EventDelivery(BaseModel):
    """What became of the event for one subscription."""

    subscription_id: str
    name: str | None = Field(description="The subscription's; null when it is not there any more.")
    state: DeliveryState = Field(description=STATE)
    attempts: list[Attempted] = Field(description="In their order; empty before the first.")


class EventDeliveries(BaseModel):
    """What became of an event, by subscription."""

    id: str = Field(description="The event's id.")
    detail: str
    deliveries: list[EventDelivery] = Field(
        description="Where it was sent to, and what accepts it by now and was not tried yet."
    )


class UndeliveredRange(BaseModel):
    """Everything from `offset` up to `until` of a partition of `events` that was not delivered."""

    partition: int
    offset: int
    until: int


class DeliveryShown(BaseModel):
    """One delivery of a subscription, as its latest attempt left it."""

    subscription_id: str
    event_id: str | None = Field(
        description="Null for a range that ended as a whole: cancelled, or dead as it left Kafka."
    )
    state: DeliveryState | None = Field(
        description=f"{STATE} Null with `attempts`: whether another followed is not looked for."
    )
    attempt: Attempted
    destination: str
    range: UndeliveredRange | None


class DeliveryPage(BaseModel):
    """Deliveries, newest first, and the cursor of the page after."""

    deliveries: list[DeliveryShown] = Field(
        description="A page may hold fewer than `limit`, even none."
    )
    next: str | None = Field(description="`cursor` of the next page; null when there is none.")


class LastError(BaseModel):
    """What failed last."""

    at: str = Field(json_schema_extra={"format": "date-time"})
    code: str
    message: str
    advice: str = Field(description="What to do about it.")


class LastHour(BaseModel):
    """Attempts of the last hour, by how they ended."""

    delivered: int
    failed: int
    dead: int


class Behind(BaseModel):
    """How far a subscription lags behind the log; it need not accept what it lacks."""

    records: int
    since: str | None = Field(json_schema_extra={"format": "date-time"})


class DestinationHealth(BaseModel):
    """How a subscription's queue does."""

    subscription_id: str
    destination: str | None
    breaker: Literal["open", "closed"] = Field(
        description="Open: it failed again and again, or refuses all; single calls try it."
    )
    breaker_since: str | None = Field(json_schema_extra={"format": "date-time"})
    last_error: LastError | None
    last_hour: LastHour
    waiting: int = Field(description="Events that failed and will be tried again.")
    behind: Behind = Field(description="What it has not been served yet.")
    dead: int = Field(description="Events that were given up.")
    oldest_undelivered: str | None = Field(
        description="First attempt of the oldest of those that wait.",
        json_schema_extra={"format": "date-time"},
    )
