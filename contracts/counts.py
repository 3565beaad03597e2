"""Counts of events by time and field, and the values that a field has, as the API tells them."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from contracts.criteria import LIMIT_DEFAULT, LIMIT_MAX, Criteria, whole_number
from contracts.intervals import Asked, Interval, Time

CountedBy = Literal["event_type", "event_source", "operation", "status", "fault"]
FIELD_PATTERN = (
    r"^(?:event_type|event_source|operation|entity_id|entity_name|key_attributes(?:\..{1,256})?)$"
)


class CountSearch(Criteria):
    """Events to count, and by what."""

    interval: Asked = Field(
        "auto", description="Minutes up to two hours, hours up to a week, else days, unless told."
    )
    by: CountedBy | None = Field(None, description="A series for each value of this.")


class CountSeries(BaseModel):
    """Counts of one value, one for each interval."""

    value: str | None = Field(
        description="Of the field; `true` or `false` for `fault`; null for no status, or without `by`."
    )
    count: int
    buckets: list[int]


class CountsFound(BaseModel):
    """Events by interval."""

    from_: Time = Field(alias="from")
    to: Time
    interval: Interval
    count: int = Field(description="All of them.")
    starts: list[Time] = Field(
        description="When each interval begins; the first and the last may be cut by the range."
    )
    series: list[CountSeries] = Field(description="Most events first.")


class FieldSearch(Criteria):
    """A field whose values are to be counted, of which events."""

    field: Annotated[str, StringConstraints(pattern=FIELD_PATTERN)] = Field(
        description="`event_type`, `event_source`, `operation`, `entity_id`, `entity_name`,"
        " `key_attributes.NAME`, or `key_attributes` for the names of attributes."
    )
    prefix: Annotated[str, StringConstraints(max_length=256)] = Field(
        "", description="Only values that begin with this, in any case."
    )
    limit: Annotated[int, BeforeValidator(whole_number)] = Field(
        LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="Most values."
    )


class ValueCount(BaseModel):
    """How many events have a value."""

    value: str
    count: int


class FieldValues(BaseModel):
    """The most frequent values of a field."""

    from_: Time = Field(alias="from")
    to: Time
    field: str
    distinct: int = Field(
        description="Values that there are; of 100,000 and more the first seen are counted, no others."
    )
    values: list[ValueCount] = Field(description="Most events first.")
