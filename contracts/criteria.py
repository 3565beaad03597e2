"""What GET /api/v1/events asks and answers: the models, and the parameters as OpenAPI has them.

All criteria must hold. Texts are compared exactly; only `q` finds parts, in any case.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from contracts.events import (
    AttributeName,
    AttributeText,
    EntityId,
    EntityName,
    Event,
    EventSource,
    EventType,
    Operation,
)

QUERY_BYTES_MAX = 32 * 1024
"""Of a query string: the longest key attribute, percent-encoded."""

LIMIT_DEFAULT = 50
LIMIT_MAX = 200

# the years that ClickHouse's DateTime64 holds, less one at either end for the time zones
YEAR_MIN, YEAR_MAX = 1901, 2298
RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def instant_ms(text: object) -> int:
    """An RFC 3339 time as ms since 1970, rounded up: the first millisecond that is not before it."""
    try:
        if not isinstance(text, str) or not (given := RFC_3339.fullmatch(text)):
            raise ValueError
        time = datetime.fromisoformat(text.upper())
    except ValueError:
        raise PydanticCustomError(
            "rfc_3339",
            "must be a time as in RFC 3339, 2026-01-31T12:00:00Z; write the + of an offset as %2B",
        ) from None
    if not YEAR_MIN <= time.year <= YEAR_MAX:
        raise PydanticCustomError("year", f"must lie in the years {YEAR_MIN} to {YEAR_MAX}")
    whole = time.replace(microsecond=0).astimezone(UTC)
    nanoseconds = int((given[1] or ".")[1:].ljust(9, "0"))  # `datetime` leaves out the last three
    return int(whole.timestamp()) * 1000 - -nanoseconds // 1_000_000


def rfc_3339(time_ms: int) -> str:
    """Ms since 1970 as the API writes it: UTC, with ms."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Instant = Annotated[
    int,
    BeforeValidator(instant_ms),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def whole_number(text: object) -> object:
    """A number of a query string in digits alone; `int` would take blanks, signs, `1_0` and `5.0`."""
    if isinstance(text, str) and not (text.isascii() and text.isdigit()):
        raise PydanticCustomError("whole_number", "must be a whole number in the digits 0 to 9")
    return text


TEXT = (
    "With this text in the payload, the fault or its message, as a person reads it: escapes of JSON"
    " resolved, in any case, with its accents."
)
OCCURRED_FROM = (
    "Happened at this time or later (RFC 3339), as the key attribute `timestamp` says; without `from`"
    " what was received since the day before is searched."
)
OCCURRED_TO = "Happened before this time (RFC 3339)."
FINGERPRINT_PATTERN = r"^[0-9a-f]{16}$"
FINGERPRINT = "Failures of this kind, by the fingerprint that the groups of failures have."
AHEAD_MS = 24 * 60 * 60 * 1000
"""How long after its receipt an event may have happened, by a clock that is off (migration 0012)."""


def begin_of(from_ms: int | None, occurred_from_ms: int | None) -> int | None:
    """Since when events are looked for, by receipt: at `from_ms`, else where the first may be."""
    if from_ms is not None or occurred_from_ms is None:
        return from_ms
    return occurred_from_ms - AHEAD_MS


SearchedText = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Fingerprint = Annotated[str, StringConstraints(pattern=FINGERPRINT_PATTERN)]
SearchedName = Annotated[EntityName, StringConstraints(min_length=1)]


class Criteria(BaseModel):
    """Which events are meant. Times are ms since 1970."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_: Instant | None = Field(
        None, alias="from", description="Received at this time or later (RFC 3339)."
    )
    to: Instant | None = Field(None, description="Received before this time (RFC 3339).")
    event_type: EventType | None = Field(None, description="Of this type.")
    event_source: EventSource | None = Field(None, description="About this kind of entity.")
    operation: Operation | None = Field(None, description="While this was done.")
    entity_id: EntityId | None = Field(None, description="About this entity, exactly.")
    entity_name: SearchedName | None = Field(None, description="With this entity name, exactly.")
    key_attributes: Annotated[dict[AttributeName, AttributeText], Field(max_length=5)] = Field(
        default_factory=dict,
        description="With these key attributes, exactly: `key_attributes.correlationId=4711`.",
    )
    q: SearchedText | None = Field(None, description=TEXT)
    fault_fingerprint: Fingerprint | None = Field(None, description=FINGERPRINT)
    occurred_from: Instant | None = Field(None, description=OCCURRED_FROM)
    occurred_to: Instant | None = Field(None, description=OCCURRED_TO)

    @property
    def begins_ms(self) -> int | None:
        """When the first may have been received."""
        return begin_of(self.from_, self.occurred_from)


class Search(Criteria):
    """One request: the criteria, how much, and from where on."""

    limit: Annotated[int, BeforeValidator(whole_number)] = Field(
        LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="Most events of a page."
    )
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        None, description="`next` of the page before, with the same criteria."
    )


class Cost(BaseModel):
    """What ClickHouse did for an answer."""

    rows_read: int
    bytes_read: int = Field(description="Of columns that were looked at, not compressed.")
    seconds: float


class EventPage(BaseModel):
    """Events, newest first, and the cursor of the page after."""

    events: list[Event] = Field(
        description="As GET by id answers each. A page may hold fewer than `limit`, even none."
    )
    received_at: list[datetime] = Field(
        description="When each of them was received, in the same order."
    )
    next: str | None = Field(description="`cursor` of the next page; null when there is none.")
    reached: datetime | None = Field(
        description="Until when, backwards, the search has looked; null when that is all of its range."
    )
    cost: Cost = Field(description="What this page took; of a search it is the sum of its pages.")


def query_parameters(model: type[BaseModel] = Search) -> list[dict[str, Any]]:
    """The OpenAPI parameter objects of what a query string asks for."""
    properties: dict[str, dict[str, Any]] = model.model_json_schema()["properties"]
    parameters = []
    for name, schema in properties.items():
        given = next((each for each in schema.get("anyOf", ()) if "type" in each), schema)
        kept = {key: given[key] for key in given if key not in ("title", "description", "default")}
        if "default" in schema and schema["default"] is not None:
            kept["default"] = schema["default"]
        about = {"name": name, "in": "query", "description": schema["description"]}
        if name == "key_attributes":  # exploded, so each property is a parameter of its own
            kept["propertyNames"] = {"pattern": r"^key_attributes\..{1,256}$"}
            about |= {"style": "form", "explode": True}
        parameters.append(about | {"schema": kept})
    return parameters
