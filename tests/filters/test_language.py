"""What a pattern means where it is ours alone: the event's fields, the deviations, the limits."""

from typing import Any

import pytest
from hypothesis import given, settings

from contracts.encoding.codec import EventJson, PayloadJson
from contracts.filters import Refused, View, cost, explain, matches, parse, to_sql
from contracts.filters.operators import read_predicate
from contracts.filters.spelled import spelled
from tests.examples import examples
from tests.filters import strategies
from tests.filters.strategies import encoded
from tests.filters.test_index import parsed


def an_event(payload: Any = None, **changes: Any) -> EventJson:
    body = PayloadJson(
        operation="UPDATE",
        key_attributes={"amount": "7.50", "a.b": "x", "odd": "12345678901234567"},
        base64_encoded_payload_json=None if payload is None else encoded(payload),
    )
    fields = {"entity_id": "4711", "event_source": "ORDER", "event_type": "FAULT"} | changes
    return EventJson(event_payload=body, entity_name=None, id="", **fields)


ACCEPTED: tuple[Any, ...] = (
    {},
    {"event_type": "FAULT"},
    {"event_type": ["WARNING", "FAULT"], "operation": ["UPDATE"]},
    {"event_source": [{"anything-but": "PRICE"}]},
    {"entity_name": [None]},
    {"entity_name": [{"exists": True}]},
    {"key_attributes": {"a.b": ["x"]}},
    {"key_attributes": {"amount": [{"numeric": [">", 7, "<", 8]}]}},
    {"key_attributes": {"amount": [{"numeric": ["=", 7.5]}]}},
    {"key_attributes": {"none": [{"exists": False}]}},
    {"$or": [{"event_type": ["WARNING"]}, {"key_attributes": {"a.b": ["x"]}}]},
    {"payload": {"order": {"total": [{"numeric": [">", 100]}]}}},
    {"fault": {"code": [{"exists": False}]}},
)
NOT_ACCEPTED: tuple[Any, ...] = (
    {"entity_name": [{"prefix": ""}]},
    {"key_attributes": {"a": [{"exists": True}]}},
    {"key_attributes": {"amount": [7.5]}},
    {"key_attributes": {"a.b": [{"numeric": [">", 0]}]}},
    {"key_attributes": {"odd": [{"numeric": [">", 0]}]}},
    {"entity_id": [4711]},
    {"entity_id": [{"numeric": [">", 0]}]},
    {"fault": {"code": [{"anything-but": "x"}]}},
)


@pytest.mark.parametrize("pattern", ACCEPTED, ids=repr)
def test_accepted(pattern: Any) -> None:
    view = View(an_event({"order": {"total": 120}}))
    assert matches(parse(pattern), view)
    assert explain(parse(pattern), view) == []


@pytest.mark.parametrize("pattern", NOT_ACCEPTED, ids=repr)
def test_not_accepted_and_explained(pattern: Any) -> None:
    view = View(an_event({"order": {"total": 120}}))
    assert not matches(parse(pattern), view)
    ((unmet,),) = explain(parse(pattern), view)
    assert unmet.field.partition(".")[0] in pattern


def test_an_explanation_shortens_the_value() -> None:
    view = View(an_event(entity_id="x" * 500))
    ((unmet,),) = explain(parse({"entity_id": [{"prefix": "a"}, {"wildcard": "b*"}]}), view)
    wanted = ({"prefix": "a"}, {"wildcard": "b*"})
    assert unmet == ("entity_id", wanted, 2, True, 500, "x" * 64, 0, False)


def test_an_explanation_shortens_what_is_wanted_and_counts_it() -> None:
    many = [f"{number}{'y' * 100}" for number in range(50)]
    view = View(an_event({"tags": ["a", "b", "c"]}))
    ((unmet,),) = explain(parse({"payload": {"tags": many}}), view)
    assert unmet.wanted == tuple(f"{each[:64]}…" for each in many[:10])
    assert (unmet.wanted_of, unmet.shown, unmet.others) == (50, "a", 2)
    ((unmet,),) = explain(parse({"payload": {"tags": {"x": [{"anything-but": many}]}}}), view)
    assert unmet.wanted == ({"anything-but": [f"{each[:64]}…" for each in many[:10]] + ["…"]},)
    assert (unmet.present, unmet.shown) == (False, None)


@settings(max_examples=examples(100))
@given(strategies.patterns)
def test_what_is_wanted_is_spelled_as_the_pattern_has_it(pattern: Any) -> None:
    for conjunction in parsed(pattern).conjunctions:
        for clause in conjunction:
            for predicate in clause.predicates:
                if "Odd(" in repr(predicate) or len(repr(predicate)) > 64:
                    continue  # told as a text; shortened
                again = read_predicate(spelled(predicate), clause.field, "", None)
                assert again == predicate


def test_values_of_different_elements_are_explained() -> None:
    view = View(an_event({"items": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}]}))
    (unmet,) = explain(parse({"payload": {"items": {"sku": ["a"], "n": [2]}}}), view)
    assert [each.field for each in unmet] == ["payload.items.sku", "payload.items.n"]
    assert [(each.shown, each.apart) for each in unmet] == [("a", True), (2, True)]


@pytest.mark.parametrize(
    ("pattern", "pointer"),
    [
        ([], ""),
        ({"payload": {}}, "/payload"),
        ({"colour": ["red"]}, "/colour"),
        ({"event_type": ["FAULTS"]}, "/event_type/0"),
        ({"event_type": [{"foo": "x"}]}, "/event_type/0"),
        ({"payload": ["x"]}, "/payload"),
        ({"key_attributes": {"a/b": {"c": ["x"]}}}, "/key_attributes/a~1b"),
        ({"key_attributes": {"$or": "x"}}, "/key_attributes/$or"),
        (
            {"event_type": ["FAULT"], "$or": [{"event_type": ["WARNING"]}, {"entity_id": ["1"]}]},
            "/$or",
        ),
        ({"payload": {"a.b": ["x"], "a": {"b": ["y"]}}}, "/payload/a"),
        ({"entity_id": [{"numeric": [">", True]}]}, "/entity_id/0/numeric/1"),
        (
            {"entity_id": [{"anything-but": {"prefix": ["a", 5]}}]},
            "/entity_id/0/anything-but/prefix/1",
        ),
    ],
)
def test_refused_where(pattern: Any, pointer: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(pattern)
    assert [each["pointer"] for each in refused.value.errors] == [pointer]


def test_every_fault_is_named() -> None:
    with pytest.raises(Refused) as refused:
        parse({"entity_id": [], "event_type": [{"foo": 1}], "x": ["y"]})
    assert len(refused.value.errors) == 3


def deep(levels: int) -> Any:
    return {"payload": {"a": deep(levels - 1)["payload"]}} if levels else {"payload": {"a": ["x"]}}


BRANCHES = [{"entity_id": [str(n)]} for n in range(9)]


@pytest.mark.parametrize(
    ("pattern", "size", "limit"),
    [
        ({"entity_id": [str(n) for n in range(101)]}, 101, 100),
        ({"entity_id": [{"anything-but": [str(n) for n in range(101)]}]}, 101, 100),
        ({"entity_id": ["x" * 8193]}, 8193, 8192),
        ({"key_attributes": {"x" * 257: ["x"]}}, 257, 256),
        (deep(15), 17, 16),
        ({"$or": BRANCHES, "payload": {"$or": [{"a": ["1"]}] * 4}}, 72, 64),
    ],
)
def test_too_large(pattern: Any, size: int, limit: int) -> None:
    with pytest.raises(Refused) as refused:
        parse(pattern)
    assert [(each["size"], each["limit"]) for each in refused.value.errors] == [(size, limit)]


def test_too_complex_but_readable_when_stored() -> None:
    pattern = {"entity_id": [{"wildcard": "*a*a*a*a*a*a*a*a*a*"}]}
    with pytest.raises(Refused) as refused:
        parse(pattern)
    ((pointer, score, limit),) = [
        (each["pointer"], each["score"], each["limit"]) for each in refused.value.errors
    ]
    assert (pointer, score, limit) == ("/entity_id", 19, 10)
    assert matches(parse(pattern, limited=False), View(an_event(entity_id="aaaaaaaaa")))


UNSCORABLE = {
    "many letters": {
        "entity_id": [
            {"wildcard": "*" + "".join(chr(0x4E00 + 2000 * each + n) for n in range(2000))}
            for each in range(5)
        ]
    },
    "many fields": {
        "key_attributes": {
            f"f{n}": [{"wildcard": f"*{each}" + "ab" * n + "*c"} for each in range(4)]
            for n in range(60)
        }
    },
}


@pytest.mark.parametrize("pattern", UNSCORABLE.values(), ids=UNSCORABLE.keys())
def test_wildcards_that_take_long_to_score_are_refused_in_bounded_steps(
    pattern: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, calls = cost._Automaton._read, 0

    def counted(*asked: Any) -> Any:
        nonlocal calls
        calls += 1
        return read(*asked)

    monkeypatch.setattr(cost._Automaton, "_read", counted)
    with pytest.raises(Refused, match=r"too long to be scored|too complex"):
        parse(pattern)
    assert calls <= cost.STEPS_MAX


@pytest.mark.parametrize("values", [{}, {"event_type": ["FAULT"]}, {"entity_id": ["4711", "x"]}])
def test_accepted_values_mean_what_they_meant(values: Any) -> None:
    for event in (an_event(), an_event(entity_id="x"), an_event(event_type="WARNING")):
        accepted = all(getattr(event, name) in listed for name, listed in values.items())
        assert matches(parse(values), View(event)) == accepted


def test_no_value_is_written_into_the_sql() -> None:
    pattern = {"entity_id": ["' OR 1"], "key_attributes": {"n'": [{"wildcard": "v'*"}]}}
    condition, parameters = to_sql(parse(pattern))
    assert "' OR 1" not in condition
    assert "n'" not in condition
    assert "' OR 1" in parameters.values()
