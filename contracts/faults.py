"""Groups of failures as the API asks for them and tells them.

A failure is a FAULT, or another event that carries a fault; a group is all failures of one status and
message, with what varies in the message blanked (`clickhouse/migrations/0011_fault_groups.sql`).
"""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from contracts.criteria import LIMIT_DEFAULT, LIMIT_MAX, Criteria, SearchedText, whole_number
from contracts.fault_states import FaultState
from contracts.intervals import Interval, Time

Order = Literal["count", "last_seen", "first_seen", "entities"]


class FaultCriteria(Criteria):
    """Which failures are meant. Times are ms since 1970."""

    status: Annotated[int, BeforeValidator(whole_number)] | None = Field(
        None, ge=0, le=599, description="With this HTTP status; 0 for none."
    )
    q: SearchedText | None = Field(
        None, description="With this text in the group's message, in any case."
    )


class FaultSearch(FaultCriteria):
    """One request: the criteria, the order, how much, and from where on."""

    order: Order = Field("count", description="Highest or latest first.")
    limit: Annotated[int, BeforeValidator(whole_number)] = Field(
        LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="Most groups of a page."
    )
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        None, description="`next` of the page before, with the same criteria and order."
    )


class OperationCount(BaseModel):
    """How many failures of a group there are of a source and an operation."""

    event_source: str
    operation: str
    count: int


class FaultGroup(BaseModel):
    """Failures of one kind in the time that was asked for."""

    fingerprint: str = Field(description="Names the group: the same for this status and message.")
    status: int | None = Field(description="HTTP status that the faults name; null for none.")
    message: str = Field(
        description="What they say, in a line: numbers, ids, hosts and quoted values as *."
    )
    count: int = Field(description="Failures in this time.")
    before: int = Field(
        description="And in the time of the same length before it: 0 for a group that is new, or back."
    )
    entities: int = Field(description="Entities that are affected; an estimate above 65,536.")
    first_seen: Time = Field(description="When the first of them was accepted.")
    last_seen: Time = Field(description="When the latest of them was accepted.")
    sample_id: str = Field(description="Id of the latest.")
    buckets: list[int] = Field(description="Failures of each interval, from `from` on.")
    operations: list[OperationCount] = Field(description="By source and operation, most first.")
    state: FaultState = Field(description="What people have said of it.")


class FaultPage(BaseModel):
    """Groups of failures, the cursor of the page after, and what all pages have in common."""

    from_: Time = Field(alias="from")
    to: Time
    interval: Interval = Field(description="What the buckets are; they begin at whole ones of UTC.")
    count: int = Field(description="Failures of all groups.")
    groups: int = Field(description="How many groups there are.")
    faults: list[FaultGroup]
    next: str | None = Field(description="`cursor` of the next page; null when there is none.")


class EntityCount(BaseModel):
    """How many failures of a group an entity has."""

    entity_id: str
    count: int


class Difference(BaseModel):
    """What is more frequent in a group than among the tenant's other events of that time."""

    field: str = Field(
        description="`event_source`, `operation`, `entity_id`, `entity_name`, `key_attributes.NAME` or"
        " `payload.NAME`; `key_attributes` and `payload` for having a member of that name at all."
    )
    value: str
    in_group: int = Field(description="Events of the group that have it, of those compared.")
    in_rest: int = Field(description="Other events that have it, of those compared.")
    group_share: float = Field(description="0 to 1.")
    rest_share: float = Field(description="0 to 1.")
    lift: float = Field(
        description="The one share over the other, each with half an event added: how much more often."
    )
    score: float = Field(
        description="By how much the shares differ at least, with 99.9 % confidence (Wilson)."
    )


class Compared(BaseModel):
    """How many events were compared: samples where there are more."""

    group: int
    rest: int


class FaultDetail(BaseModel):
    """A group of failures, whom it concerns, and what sets its events apart."""

    from_: Time = Field(alias="from")
    to: Time
    interval: Interval
    fault: FaultGroup
    entities: list[EntityCount] = Field(description="The ten with the most failures.")
    events: list[str] = Field(description="Ids of the latest ten.")
    compared: Compared
    differences: list[Difference] = Field(
        description="The clearest first; what fewer than five events of the group have is left out."
    )
