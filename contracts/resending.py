"""Redrives and replays as clients ask for them, and jobs as the API shows them.

A redrive sends again what is dead, a replay what was received in a range of time, delivered or not.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from contracts.criteria import LIMIT_DEFAULT, LIMIT_MAX, Instant, whole_number
from contracts.delivery_settings import MessagesPerS
from contracts.events import EventType
from contracts.jobs import JobState, Kind, Reached
from contracts.subscriptions import FILTER

CODES_MAX = 20
EVENT_IDS_MAX = 1000
SAMPLES_MAX = 5
REPLAY_MESSAGES_PER_S = 100
UUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

Code = Annotated[str, StringConstraints(max_length=128)]
Id = Annotated[str, StringConstraints(pattern=UUID_PATTERN)]

RATE = "Most messages a second; the subscription's own limit holds too."
DRY_RUN = "Count, show some, and make no job."


class Resending(BaseModel):
    """What both have: a range, a filter, a rate. Times are ms since 1970."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    filter: dict[str, Any] | None = Field(None, description=f"Only such events. {FILTER}")
    dry_run: bool = Field(False, description=DRY_RUN)

    def asked(self) -> dict[str, Any]:
        """What was given, under the names of the API, as JSON has it; without what makes no job."""
        given = self.model_dump(by_alias=True, exclude_unset=True)
        return {name: value for name, value in given.items() if name != "dry_run"}


class Redrive(Resending):
    """The body of POST /api/v1/subscriptions/{id}/redrive: all that is dead, or what all members name."""

    from_: Instant | None = Field(
        None, alias="from", description="Given up then or later (RFC 3339)."
    )
    to: Instant | None = Field(None, description="Given up before (RFC 3339).")
    codes: list[Code] | None = Field(
        None, min_length=1, max_length=CODES_MAX, description="With one of these error codes."
    )
    event_ids: list[Id] | None = Field(
        None, min_length=1, max_length=EVENT_IDS_MAX, description="Of these events."
    )
    messages_per_s: MessagesPerS | None = Field(
        None, description=f"{RATE} As fast as the queue takes them when left out."
    )


class Replay(Resending):
    """The body of POST /api/v1/subscriptions/{id}/replay: what was received in [from, to)."""

    from_: Instant = Field(alias="from", description="Received then or later (RFC 3339).")
    to: Instant = Field(description="Received before (RFC 3339).")
    all: bool = Field(
        False,
        description="Events that the subscription's own filter does not accept as well; else both filters"
        " must accept an event.",
    )
    messages_per_s: MessagesPerS = Field(REPLAY_MESSAGES_PER_S, description=RATE)


class JobCount(BaseModel):
    """How many events of one kind."""

    of: str = Field(description="An error code (redrive), or a day (replay).")
    count: int


class JobSample(BaseModel):
    """An event that would be sent."""

    event_id: str
    at: str = Field(
        description="When it was given up (redrive) or received (replay).",
        json_schema_extra={"format": "date-time"},
    )
    event_type: EventType
    entity_id: str
    code: str = Field(description="Of a dead one; empty otherwise.")
    message: str = Field(description="Of a dead one what the queue said; empty otherwise.")


class JobPreview(BaseModel):
    """What would be sent again; nothing was begun."""

    kind: Kind
    count: int = Field(description="Events that the job would name.")
    beyond: int = Field(description="And how many more there are that one job has no room for.")
    counts: list[JobCount] = Field(description="All of them, by error code or by day.")
    samples: list[JobSample] = Field(max_length=SAMPLES_MAX, description="The oldest.")


class JobPart(BaseModel):
    """How far a job is in one partition of `events`."""

    partition: int
    count: int
    done: int = Field(description="Events that are handled, one way or the other.")
    state: Reached
    sent: int
    dead: int
    missing: int


class JobShown(BaseModel):
    """A redrive or a replay."""

    id: str
    subscription_id: str
    kind: Kind
    state: JobState
    count: int = Field(description="Events that it names.")
    sent: int = Field(description="Taken by the queue.")
    dead: int = Field(description="Given up again.")
    missing: int = Field(description="Not on Kafka any more, or no event.")
    per_cent: int
    beyond: int = Field(description="What one job had no room for: ask again when it is done.")
    reason: str = Field(description="Why it ended before its time; empty otherwise.")
    messages_per_s: int | None
    asked: dict[str, str] = Field(description="What it was asked for; members as JSON texts.")
    partitions: list[JobPart]
    created_at: str = Field(json_schema_extra={"format": "date-time"})
    created_by: str
    updated_at: str = Field(json_schema_extra={"format": "date-time"})


class JobPage(BaseModel):
    """Jobs, newest first, and the cursor of the page after."""

    jobs: list[JobShown]
    next: str | None = Field(description="`cursor` of the next page; null when there is none.")


class JobSearch(BaseModel):
    """Which jobs, and which page of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subscription_id: Id | None = Field(None, description="Only those of this subscription.")

    limit: Annotated[int, BeforeValidator(whole_number)] = Field(
        LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="Most jobs of a page."
    )
    cursor: (
        Annotated[str, StringConstraints(pattern=r"^[0-9]{1,15}\.[0-9a-f-]{36}$", max_length=52)]
        | None
    ) = Field(None, description="`next` of the page before.")
