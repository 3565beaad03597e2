"""The fields that a search line knows: their names, where the pattern has them, the values they may have."""

from typing import NamedTuple, get_args

from contracts.events import EventSource, EventType, Operation


class Field(NamedTuple):
    """One field. `values` are all that it may have, or none for any text."""

    name: str
    member: str
    meaning: str
    values: tuple[str, ...] = ()


FIELDS = (
    Field("type", "event_type", "what kind of event", get_args(EventType)),
    Field("source", "event_source", "what kind of entity", get_args(EventSource)),
    Field("operation", "operation", "what was being done", get_args(Operation)),
    Field("entity", "entity_id", "the entity's id"),
    Field("name", "entity_name", "the entity's name"),
)
KIND = Field("fault", "fault_fingerprint", "failures of one kind, by its fingerprint")
"""Asked for beside the pattern, which has no such field."""
FREE = {
    "attr": ("key_attributes", "a key attribute: attr.correlationId:4711"),
    "payload": ("payload", "a value in the payload: payload.customer.email:*@example.com"),
    "fault": ("fault", "a value in the fault: fault.status:>=500"),
}
"""Fields that take a name or a path after a dot, and the member of the pattern."""

ALIASES = {
    **{field.name: field for field in FIELDS},
    **{field.member: field for field in FIELDS},
    "op": FIELDS[2],
}
FREE_ALIASES = {
    **{name: member for name, (member, _) in FREE.items()},
    "key_attributes": "key_attributes",
}


def completions() -> list[dict[str, object]]:
    """What the line offers: for a script, beside the line."""
    known: list[dict[str, object]] = [
        {"name": f"{field.name}:", "about": field.meaning, "values": field.values}
        for field in (*FIELDS, KIND)
    ]
    return known + [{"name": f"{name}.", "about": about} for name, (_, about) in FREE.items()]
