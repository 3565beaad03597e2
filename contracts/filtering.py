"""What is asked with a filter beside subscriptions: a search, a back-test, and why an event matched."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.criteria import (
    FINGERPRINT,
    LIMIT_DEFAULT,
    LIMIT_MAX,
    OCCURRED_FROM,
    OCCURRED_TO,
    TEXT,
    Cost,
    Fingerprint,
    Instant,
    SearchedText,
    begin_of,
)
from contracts.events import Event
from contracts.subscriptions import FILTER

SAMPLES_MAX = 10


class Ranged(BaseModel):
    """A filter and a time range. Times are ms since 1970."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    filter: dict[str, Any] = Field(description=FILTER)
    from_: Instant | None = Field(
        None, alias="from", description="Received at this time or later (RFC 3339)."
    )
    to: Instant | None = Field(None, description="Received before this time (RFC 3339).")


class FilterTest(Ranged):
    """The body of POST /api/v1/subscriptions:test."""


class FilterSearch(Ranged):
    """The body of POST /api/v1/events:search."""

    q: SearchedText | None = Field(None, description=TEXT)
    fault_fingerprint: Fingerprint | None = Field(None, description=FINGERPRINT)
    occurred_from: Instant | None = Field(None, description=OCCURRED_FROM)
    occurred_to: Instant | None = Field(None, description=OCCURRED_TO)
    limit: int = Field(LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="Most events of a page.")
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        None, description="`next` of the page before, with the same filter and criteria."
    )

    @property
    def begins_ms(self) -> int | None:
        """When the first may have been received."""
        return begin_of(self.from_, self.occurred_from)


class FilterTestAnswer(BaseModel):
    """How many events of the range the filter accepts, of how many, and the newest of them."""

    matched: int
    of: int
    samples: list[Event] = Field(max_length=SAMPLES_MAX)
    cost: Cost


class UnmetClause(BaseModel):
    """A clause that does not hold: what the pattern wants, and the value that the event has there."""

    field: str
    wanted: list[Any] = Field(
        description="The first values and operators that it accepts, as a pattern spells them,"
        " texts shortened."
    )
    wanted_of: int = Field(description="How many it accepts in all.")
    present: bool = Field(description="Whether the event has a value there.")
    size: int | None = Field(description="Of a text, in characters.")
    value: Any = Field(description="The first value, a text shortened.")
    others: int = Field(description="How many more values the event has there, in arrays.")
    apart: bool = Field(
        description="Whether it holds by itself, and not in the same elements of arrays as the others."
    )


class SubscriptionExplained(BaseModel):
    """Whether one subscription accepts the event."""

    id: str
    name: str | None
    enabled: bool
    matches: bool
    inactive: str | None = Field(description="Why it cannot be asked; null otherwise.")
    unmet: list[list[UnmetClause]] = Field(
        description="Per alternative of the filter what does not hold; empty when it matches."
    )


class Explanation(BaseModel):
    """For each subscription of the tenant whether it accepts the event."""

    id: str = Field(description="The event's id.")
    matched: int
    of: int
    detail: str
    subscriptions: list[SubscriptionExplained]
