"""What people say of a group of failures: known, resolved, quiet until it grows; who said so, and when.

Each saying is an event of the log, so that it outlives a rebuild of the view: a SYSTEM_EVENT of source
APPLICATION about the entity `fault:FINGERPRINT`, all of it in plain key attributes. Of several the one
received last counts. A client that posts such an event says so itself.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from contracts.encoding.codec import EventJson, PayloadJson, fill_defaults
from contracts.intervals import Time

Said = Literal["open", "known", "resolved", "quiet"]
ENTITY = "fault:"
"""Before the fingerprint, in the entity's id."""
NOTE_MAX = 500

STATE, BY, NOTE, UNTIL = "fault_state", "said_by", "note", "until_count"
"""The key attributes."""


class FaultStateDraft(BaseModel):
    """What is to be said of a group."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    state: Said = Field(
        description="resolved: it opens again with the next failure; quiet: with more than `until_count`"
        " failures from now on; known: it stays so."
    )
    until_count: int | None = Field(None, ge=1, le=10**12, description="Of quiet alone.")
    note: Annotated[str, StringConstraints(max_length=NOTE_MAX)] = Field(
        "", description="Why, for whoever sees it next."
    )

    @model_validator(mode="after")
    def _bound_of_quiet(self) -> Self:
        if (self.state == "quiet") != (self.until_count is not None):
            raise PydanticCustomError(
                "until_count", "`until_count` is needed with the state quiet, and with it alone"
            )
        return self


class FaultState(BaseModel):
    """What was said of a group, and whether it still holds."""

    state: Said = Field(description="What holds: `open` where it has opened again.")
    said: Said = Field(description="What was said last; `open` when nothing was.")
    at: Time | None = Field(description="When.")
    by: str | None = Field(description="Who, the token's `sub`.")
    note: str
    until_count: int | None
    since: int | None = Field(
        description="Failures since then, of quiet, null for too many to count: then it is told as quiet."
        " Of resolved those in the time asked for."
    )
    reopened_at: Time | None = Field(
        description="When the failure came that opened a resolved one again: the first in the time asked"
        " for."
    )


def entity_of(fingerprint: str) -> str:
    """The entity that sayings about the group are about."""
    return f"{ENTITY}{fingerprint}"


def said_event(event_id: str, fingerprint: str, draft: FaultStateDraft, by: str) -> EventJson:
    """The event that says so."""
    attributes = {STATE: draft.state, BY: by}
    if draft.until_count is not None:
        attributes[UNTIL] = str(draft.until_count)
    if draft.note:
        attributes[NOTE] = draft.note
    event = EventJson(
        entity_id=entity_of(fingerprint),
        event_payload=PayloadJson(key_attributes=attributes, operation="UPDATE"),
        event_source="APPLICATION",
        event_type="SYSTEM_EVENT",
        id=event_id,
    )
    fill_defaults(event)
    return event
