"""What criteria ask of a row, as conditions of SQL: fields and key attributes exactly, text in any case.

Text is looked for in `full_text`; both sides are folded alike (`contracts/encoding/legible.py`).
Values are bound as parameters.
"""

from typing import Any

from contracts.criteria import Criteria
from contracts.encoding.legible import folded

TEXT = "position(full_text, {folded:String}) > 0"
CONDITIONS = {
    "event_type": "event_type = {event_type:String}",
    "event_source": "event_source = {event_source:String}",
    "operation": "operation = {operation:String}",
    "entity_id": "entity_id = {entity_id:String}",
    "entity_name": "entity_name = {entity_name:String}",
    "fault_fingerprint": "fault_fingerprint = {fault_fingerprint:String}",
    "occurred_from": "occurred_at >= fromUnixTimestamp64Milli({occurred_from:Int64}, 'UTC')",
    "occurred_to": "occurred_at < fromUnixTimestamp64Milli({occurred_to:Int64}, 'UTC')",
}

Conditions = tuple[list[str], dict[str, Any]]
"""Conditions that must all hold, and their parameters."""


def of_fields(criteria: Criteria) -> Conditions:
    """What `criteria` say of fields and key attributes."""
    conditions: list[str] = []
    parameters: dict[str, Any] = {}
    for name, condition in CONDITIONS.items():
        value = getattr(criteria, name)
        if value is not None:
            conditions.append(condition)
            parameters[name] = value
    for number, (name, value) in enumerate(criteria.key_attributes.items()):
        key, text = f"attribute_name_{number}", f"attribute_{number}"
        conditions.append(f"key_attributes[{{{key}:String}}] = {{{text}:String}}")
        if not value:  # which is also what a map says of a name that is not in it
            conditions.append(f"mapContains(key_attributes, {{{key}:String}})")
        parameters |= {key: name, text: value}
    return conditions, parameters


def of_text(criteria: Criteria) -> Conditions:
    """What `criteria` say of payload, fault and what the fault says."""
    if criteria.q is None:
        return [], {}
    return [TEXT], {"folded": folded(criteria.q)}
