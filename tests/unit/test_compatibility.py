"""What was released is kept: consumers go on reading, posters go on posting."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.compatibility import breaks
from tests.builders import events, represented

CONTRACTS = Path(__file__).parent.parent.parent / "contracts"
ID = "01a20d33-994f-74a1-8936-e15ecec113da"


def schema(folder: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CONTRACTS / folder / f"{name}.schema.json").read_text())
    return found


EVENT, DRAFT = schema("released", "event"), schema("released", "event-draft")


def test_what_is_written_fits_what_consumers_were_promised() -> None:
    assert breaks(wide=EVENT, narrow=schema("schemas", "event")) == []


def test_what_posters_were_allowed_is_accepted() -> None:
    assert breaks(wide=schema("schemas", "event-draft"), narrow=DRAFT) == []


def changed(path: str, value: Any) -> dict[str, Any]:
    """The event's schema with one place changed, or taken away by None."""
    new = copy.deepcopy(EVENT)
    *steps, last = path.split("/")
    place = new
    for step in steps:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return new


PAYLOAD = "$defs/EventPayload"
TYPES = EVENT["properties"]["event_type"]["enum"]
ATTRIBUTES = f"{PAYLOAD}/properties/key_attributes"
NAME_OR_FLAG = [{"type": "string", "maxLength": 512}, {"type": "boolean"}]
WITHOUT_ID = [name for name in EVENT["required"] if name != "id"]
BREAKS: dict[str, tuple[str, Any, str]] = {
    "a new event type": ("properties/event_type/enum", [*TYPES, "X"], "/event_type: 'X'"),
    "any event type": ("properties/event_type/enum", None, "/event_type"),
    "a number for an id": ("properties/id/type", "integer", "/id: integer where string"),
    "another form of id": ("properties/id/pattern", "^.*$", "/id: the pattern"),
    "a longer entity id": ("properties/entity_id/maxLength", 1000, "/entity_id: maxLength is 1000"),
    "an empty entity id": ("properties/entity_id/minLength", 0, "/entity_id: minLength is 0"),
    "an id that may be missing": ("required", WITHOUT_ID, "/id: may be missing"),
    "a new member": ("properties/colour", {"type": "string"}, "/colour: is a new member"),
    "any member": ("additionalProperties", None, "/: any member"),
    "an attribute of another type": (
        f"{ATTRIBUTES}/additionalProperties",
        {"type": "integer"},
        "/event_payload/key_attributes/*: integer",
    ),
    "more attributes": (
        f"{ATTRIBUTES}/maxProperties",
        1000,
        "/event_payload/key_attributes: maxProperties",
    ),
    "a name of another type": (
        "properties/entity_name/anyOf",
        NAME_OR_FLAG,
        "/entity_name: boolean",
    ),
}


@pytest.mark.parametrize(("path", "value", "reason"), BREAKS.values(), ids=BREAKS.keys())
def test_a_change_that_breaks_consumers_is_named(path: str, value: Any, reason: str) -> None:
    found = breaks(wide=EVENT, narrow=changed(path, value))
    assert any(each.startswith(reason) for each in found), found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties/event_type/enum", ["FAULT"]),
        ("properties/entity_id/maxLength", 100),
        ("properties/entity_name/anyOf", [{"type": "null"}]),
        ("properties/entity_name", {"type": "string", "maxLength": 10}),
        ("properties/id/description", "other words"),
    ],
)
def test_a_narrower_event_breaks_no_consumer(path: str, value: Any) -> None:
    new = changed(path, value)
    assert breaks(wide=EVENT, narrow=new) == []
    assert breaks(wide=new, narrow=EVENT) != [] or "description" in path


def test_a_keyword_that_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="multipleOf"):
        breaks(wide=EVENT, narrow=changed("properties/id/multipleOf", 2))


@given(events, st.sampled_from(sorted(BREAKS)))
def test_what_fits_a_schema_without_breaks_fits_the_promise(
    event: dict[str, Any], name: str
) -> None:
    shown = json.loads(represented(event, ID))
    new = changed(*BREAKS[name][:2])
    if not breaks(wide=new, narrow=EVENT):
        jsonschema.validate(shown, new)
