"""The committed schemas keep what the released ones promised; each kind of break has its reason."""

import copy
import itertools
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.documents.compatibility import breaks_for_consumers, breaks_for_posters
from contracts.documents.shapes import Unsupported
from contracts.documents.write import HERE
from tests.examples import examples

Schema = dict[str, Any]


def committed(name: str, folder: str = "schemas") -> Schema:
    found: Schema = json.loads((HERE / folder / f"{name}.schema.json").read_text())
    return found


def payload(schema: Schema) -> Schema:
    found: Schema = schema["$defs"]["EventPayload"]
    return found


def changed(name: str, change: Callable[[Schema], object]) -> Schema:
    schema = copy.deepcopy(committed(name, "released"))
    change(schema)
    assert schema != committed(name, "released")
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def test_the_event_still_fits_the_schema_that_consumers_hold() -> None:
    breaks = breaks_for_consumers(committed("event", "released"), committed("event"))
    assert not breaks, "consumers of the released event break:\n" + "\n".join(map(str, breaks))


def test_what_posters_were_allowed_to_post_is_still_accepted() -> None:
    breaks = breaks_for_posters(committed("event-draft", "released"), committed("event-draft"))
    assert not breaks, "posters of the released draft break:\n" + "\n".join(map(str, breaks))


def without(members: Schema, name: str) -> None:
    del members["properties"][name]
    if name in members["required"]:
        members["required"].remove(name)


def any_of(schema: Schema, name: str) -> Schema:
    found: Schema = payload(schema)["properties"][name]["anyOf"][0]
    return found


FOR_CONSUMERS: dict[str, tuple[Callable[[Schema], object], list[tuple[str, str]]]] = {
    "a required property goes": (
        lambda s: without(s, "event_type"), [("/event_type", "required")]),
    "an optional property goes": (
        lambda s: without(s, "entity_name"), [("/entity_name", "properties")]),
    "a nested property goes": (
        lambda s: without(payload(s), "key_attributes"),
        [("/event_payload/key_attributes", "properties")]),
    "a property comes": (
        lambda s: s["properties"].update({"a/b~": {"type": "string"}}), [("/a~1b~0", "properties")]),
    "a required property may be left out": (
        lambda s: s["required"].remove("id"), [("/id", "required")]),
    "any property may come": (
        lambda s: s.update(additionalProperties=True), [("", "additionalProperties")]),
    "an enum has one more value": (
        lambda s: payload(s)["properties"]["operation"]["enum"].append("MERGE"),
        [("/event_payload/operation", "enum")]),
    "an enum opens to any text": (
        lambda s: s["properties"]["event_type"].pop("enum"), [("/event_type", "enum")]),
    "a text may be null": (
        lambda s: s["properties"]["id"].update(type=["string", "null"]), [("/id", "type")]),
    "a text becomes a number": (
        lambda s: s["properties"].update(id={"type": "integer"}), [("/id", "type")]),
    "a text may be longer": (
        lambda s: s["properties"]["entity_id"].update(maxLength=513), [("/entity_id", "maxLength")]),
    "a text may be of any length": (
        lambda s: s["properties"]["entity_id"].pop("maxLength"), [("/entity_id", "maxLength")]),
    "a text may be empty": (
        lambda s: s["properties"]["entity_id"].pop("minLength"), [("/entity_id", "minLength")]),
    "a pattern goes": (
        lambda s: any_of(s, "base64_encoded_fault_json").pop("pattern"),
        [("/event_payload/base64_encoded_fault_json", "pattern")]),
    "a pattern changes": (
        lambda s: s["properties"]["id"].update(pattern="^[0-9A-F]+$"), [("/id", "pattern")]),
    "more members may come": (
        lambda s: payload(s)["properties"]["key_attributes"].update(maxProperties=101),
        [("/event_payload/key_attributes", "maxProperties")]),
    "a member's text may be longer": (
        lambda s: payload(s)["properties"]["key_attributes"]["additionalProperties"].pop("maxLength"),
        [("/event_payload/key_attributes/*", "maxLength")]),
    "a member's name may be longer": (
        lambda s: payload(s)["properties"]["key_attributes"]["propertyNames"].update(maxLength=300),
        [("/event_payload/key_attributes/*", "propertyNames maxLength")]),
    "a value outside the pattern": (
        lambda s: s["properties"].update(id={"enum": ["7"]}), [("/id", "pattern")]),
}  # fmt: skip

FINE_FOR_CONSUMERS: dict[str, Callable[[Schema], object]] = {
    "other words": lambda s: s["properties"]["id"].update(description="Changed."),
    "an enum has one value less": lambda s: s["properties"]["event_type"]["enum"].pop(),
    "an enum of one is a const": lambda s: s["properties"].update(
        event_type={"const": "FAULT", "type": "string"}
    ),
    "a text is shorter": lambda s: s["properties"]["entity_id"].update(maxLength=100),
    "a text is one of a few": lambda s: s["properties"].update(entity_id={"enum": ["a", "b"]}),
    "a text is never null": lambda s: s["properties"].update(
        entity_name={"type": "string", "maxLength": 512}
    ),
    "two types in one list": lambda s: s["properties"].update(
        entity_name={"type": ["null", "string"], "maxLength": 512}
    ),
    "a property is always there": lambda s: s["required"].append("entity_name"),
    "a definition is written out": lambda s: s["properties"].update(event_payload=payload(s)),
}


@pytest.mark.parametrize("name", FOR_CONSUMERS)
def test_a_break_for_consumers_is_named_with_pointer_and_reason(name: str) -> None:
    change, expected = FOR_CONSUMERS[name]
    found = breaks_for_consumers(committed("event", "released"), changed("event", change))
    assert [(each.pointer, each.keyword) for each in found] == expected
    assert all(each.reason and str(each).startswith(each.pointer) for each in found)


@pytest.mark.parametrize("name", FINE_FOR_CONSUMERS)
def test_a_change_that_writes_less_breaks_no_consumer(name: str) -> None:
    new = changed("event", FINE_FOR_CONSUMERS[name])
    assert breaks_for_consumers(committed("event", "released"), new) == []


def test_posters_may_be_allowed_more_and_never_less() -> None:
    released = committed("event-draft", "released")
    wider = changed("event-draft", FOR_CONSUMERS["an enum has one more value"][0])
    more = changed("event-draft", FOR_CONSUMERS["a property comes"][0])
    assert breaks_for_posters(released, wider) == breaks_for_posters(released, more) == []
    shorter = changed("event-draft", FINE_FOR_CONSUMERS["a text is shorter"])
    assert [str(each) for each in breaks_for_posters(released, shorter)] == [
        "/entity_id maxLength: writers may go up to 512, readers take 100"
    ]
    needed = changed("event-draft", FINE_FOR_CONSUMERS["a property is always there"])
    assert [str(each) for each in breaks_for_posters(released, needed)] == [
        "/entity_name required: writers may leave it out, readers need it"
    ]


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ({"type": "string", "format": "date"}, "#/properties/id: the keyword format"),
        ({"not": {"type": "string"}}, "#/properties/id: the keyword not"),
        ({"anyOf": [{"type": "string"}], "maxLength": 3}, "#/properties/id: anyOf beside"),
        ({"$ref": "elsewhere.json"}, "#/properties/id: elsewhere.json leads nowhere"),
        ({"$ref": "#/$defs/Self"}, r"#/\$defs/Self/items: Self holds itself"),
        ({"maxLength": 3}, r"#/properties/id: \['maxLength'\] without a type"),
        ({"enum": [1.5]}, "#/properties/id: only null, booleans, integers and texts"),
    ],
)
def test_what_cannot_be_compared_is_refused(part: Schema, reason: str) -> None:
    def change(schema: Schema) -> None:
        schema["properties"]["id"] = part
        schema["$defs"]["Self"] = {"type": "array", "items": {"$ref": "#/$defs/Self"}}

    with pytest.raises(Unsupported, match=reason):
        breaks_for_consumers(committed("event", "released"), changed("event", change))


# All documents of a small world, and schemas about it: whatever is called compatible has to be.
LEAVES: list[Any] = [None, True, 0, 1, 1.5, "", "a", "b", "ab"]
DOCUMENTS: list[Any] = [
    *LEAVES,
    *([*items] for n in range(3) for items in itertools.product(LEAVES[-4:], repeat=n)),
    *([each] for each in LEAVES),
    *({name: each} for name in ("a", "bb", "c") for each in LEAVES),
    *({"a": one, "bb": two} for one in LEAVES for two in LEAVES),
    {"a": "a", "bb": "b", "c": 0},
]


def some(**keywords: st.SearchStrategy[Any]) -> st.SearchStrategy[Schema]:
    return st.fixed_dictionaries({}, optional=keywords)


small = st.integers(0, 2)
strings = some(
    minLength=small, maxLength=small, pattern=st.sampled_from(["^a", "b$"])
).map(lambda found: found | {"type": "string"})  # fmt: skip
leaves = st.one_of(
    st.booleans(),
    strings,
    strings.map(lambda found: found | {"type": ["string", "integer"]}),
    st.sampled_from(["null", "boolean", "integer", "number"]).map(lambda name: {"type": name}),
    st.lists(st.sampled_from([None, True, 0, 1, "a", "ab"]), min_size=1, unique_by=repr).map(
        lambda values: {"enum": values}
    ),
)
parts = leaves | st.lists(leaves, min_size=1, max_size=2).map(lambda found: {"anyOf": found})
arrays = some(items=parts, minItems=small, maxItems=small).map(
    lambda found: found | {"type": "array"}
)
objects = some(
    properties=st.dictionaries(st.sampled_from(["a", "bb"]), parts),
    required=st.lists(st.sampled_from(["a", "bb"]), unique=True),
    additionalProperties=parts,
    propertyNames=strings.map(lambda found: {k: v for k, v in found.items() if k != "type"}),
    minProperties=small,
    maxProperties=small,
).map(lambda found: found | {"type": "object"})
schemas = (arrays | objects | parts.filter(lambda found: isinstance(found, dict))).map(
    lambda found: {"$defs": {"It": found}, "$ref": "#/$defs/It"}
)


@given(schemas, schemas)
@settings(max_examples=examples(300))
def test_what_is_called_compatible_takes_every_document(writer: Schema, reader: Schema) -> None:
    assert breaks_for_posters(writer, writer) == breaks_for_consumers(reader, reader) == []
    writes = jsonschema.Draft202012Validator(writer).is_valid
    reads = jsonschema.Draft202012Validator(reader).is_valid
    refused = [each for each in DOCUMENTS if writes(each) and not reads(each)]
    if refused:
        assert breaks_for_posters(writer, reader), refused
        assert breaks_for_consumers(reader, writer), refused
