"""The console's search line: a pattern and a text, what it excludes, as SQL, with a pattern beside it."""

import base64
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.html import times
from console.html.text import quoted
from console.line import export
from console.line.criteria import criteria
from console.line.given import given as given_by
from console.line.parse import read
from contracts.filters import View, matches, parse
from tests.filters.test_language import an_event


@pytest.mark.parametrize(
    ("line", "pattern", "q"),
    [
        ("", {}, None),
        ("type:fault", {"event_type": ["FAULT"]}, None),
        ("source:ORDER,PRICE x y", {"event_source": ["ORDER", "PRICE"]}, "x y"),
        ("type:FAULT type:WARNING", {"event_type": ["FAULT", "WARNING"]}, None),
        ("-operation:READ", {"operation": [{"anything-but": ["READ"]}]}, None),
        ("entity:10*", {"entity_id": [{"prefix": "10"}]}, None),
        ("entity:*10", {"entity_id": [{"suffix": "10"}]}, None),
        ("entity:1*0", {"entity_id": [{"wildcard": "1*0"}]}, None),
        ('entity:"1*0, a"', {"entity_id": ["1*0, a"]}, None),
        ("name:*", {"entity_name": [{"exists": True}]}, None),
        ("-fault.a.b:*", {"fault": {"a.b": [{"exists": False}]}}, None),
        ("fault.status:>=500", {"fault": {"status": [{"numeric": [">=", 500]}]}}, None),
        ("payload.a:1..2", {"payload": {"a": [{"numeric": [">=", 1, "<=", 2]}]}}, None),
        ("payload.a:5 payload.b:true", {"payload": {"a": ["5", 5], "b": ["true", True]}}, None),
        ('attr.correlationId:4711 "a: b"', {"key_attributes": {"correlationId": ["4711"]}}, "a: b"),
    ],
)
def test_a_line_is_a_pattern_and_a_text(line: str, pattern: object, q: str | None) -> None:
    found = read(line)
    assert (found.pattern, found.q, found.wrong) == (pattern, q, ())
    parse(found.pattern)  # no pattern that we make is refused


@pytest.mark.parametrize(
    "line",
    [
        "typ:FAULT",
        "type:FAULT -type:WARNING",
        "attr.:x",
        "x" * 1001,
        "type:ERROR",
        "attr.a:5..1",
        "payload.a:1e400",
        "payload.$or:x",
        "-payload.a:true",
        "-payload.a:5,x",
        "-payload.a:>=5,7",
        "-entity:*,a",
        "fault:timeout",
        "-fault:00000000000000ff",
        "fault:00000000000000ff fault:00000000000000fe",
    ],
)
def test_what_a_line_cannot_say_is_named(line: str) -> None:
    found = read(line)
    assert len(found.wrong) == 1
    parse(found.pattern)


FAULTS = ["503", "499", "500.0", "1e3", '"503"', '"timeout"', "-1"]


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("fault.status:503", ["503", '"503"']),
        ("-fault.status:503", ["499", "500.0", "1e3", '"503"', '"timeout"', "-1"]),
        ('-fault.status:"503"', ["503", "499", "500.0", "1e3", '"timeout"', "-1"]),
        ("-fault.status:>=500", ["499", "-1"]),
        ("-fault.status:<500", ["503", "500.0", "1e3"]),
        ("-fault.status:499..503", ["1e3", "-1"]),
        ("-fault.status:499,503", ["500.0", "1e3", '"503"', '"timeout"', "-1"]),
        ("-fault.status:time*,5*3", ["503", "499", "500.0", "1e3", "-1"]),
        ("-fault.status:*", []),
    ],
)
def test_what_is_excluded_is_not_found(line: str, left: list[str]) -> None:
    found = read(line)
    assert found.wrong == ()
    filter_ = parse(found.pattern)
    assert [each for each in FAULTS if matches(filter_, with_fault(each))] == left


def with_fault(status: str) -> View:
    event = an_event()
    fault = f'{{"status": {status}}}'.encode()
    event.event_payload.base64_encoded_fault_json = base64.b64encode(fault).decode()
    return View(event)


@given(st.text(max_size=60) | st.text('-:*,."\\<>=105ae typaylodft', max_size=40))
def test_any_line_is_read_and_any_value_comes_back_from_its_quotes(text: str) -> None:
    found = read(text)
    parse(found.pattern)
    assert export.sql_or_why(
        "t", found.pattern, found.beside, times.read_range("1h", None, None), 5
    )
    assert read(f"entity:{quoted(text)}").pattern == {"entity_id": [text]}


@given(st.text(max_size=60))
def test_any_text_is_a_literal_of_sql_without_an_end_of_its_own(text: str) -> None:
    inside = export.literal(text)[1:-1]
    assert re.fullmatch(r"(?:[^'\\]|\\.)*", inside)
    assert inside.isprintable()


PERIOD = times.read_range("1h", None, None)
PLACEHOLDERS = st.lists(
    st.sampled_from(["{filter_0:String}", "{filter_1:String}", "'", "\\", "a "])
)


@given(PLACEHOLDERS.map("".join), PLACEHOLDERS.map("".join), PLACEHOLDERS.map("".join))
def test_no_text_of_a_line_is_sql(entity: str, name: str, q: str) -> None:
    """What is outside the literals is the same whatever they hold."""
    line = read(f"entity:{quoted(entity)} name:{quoted(name)}")
    made = export.as_sql("t", line.pattern, {"q": q}, PERIOD, 5)
    plain = export.as_sql("t", read("entity:x name:y").pattern, {"q": "z"}, PERIOD, 5)
    assert outside(made) == outside(plain) or entity == name
    assert export.literal(entity) in made
    assert export.literal(name) in made
    assert export.literal(q.casefold()) in made or not q


def outside(sql: str) -> str:
    return re.sub(r"'(?:[^'\\]|\\.)*'", "", sql)


def test_a_kind_of_failure_is_asked_for_beside_the_pattern() -> None:
    found = read("fault:00000000000000ff type:FAULT fault.status:503 late")
    assert found.pattern == {"event_type": ["FAULT"], "fault": {"status": ["503", 503]}}
    assert found.beside == {"q": "late", "fault_fingerprint": "00000000000000ff"}
    assert criteria(read("fault:00000000000000ff")) == {"fault_fingerprint": "00000000000000ff"}
    sql = export.as_sql("t", {}, found.beside, PERIOD, 5)
    assert "AND fault_fingerprint = '00000000000000ff'" in sql
    assert given_by({"q": found.text, "filter": '{"entity_id": ["1"]}'}).fault == found.fault


def test_a_pattern_beside_the_line_is_searched_for_with_it() -> None:
    pattern = {"$or": [{"event_type": ["FAULT"]}, {"operation": ["READ"]}], "payload": {"a": [1]}}
    query = {"q": "payload.b:x entity:1 y", "filter": json.dumps(pattern)}
    found = given_by(query)
    assert found.pattern == pattern | {"payload": {"a": [1], "b": ["x"]}, "entity_id": ["1"]}
    assert (found.q, found.wrong) == ("y", ())
    assert criteria(found) is None
    assert given_by({"filter": "{}"}).pattern == {}


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ("", "no JSON"),
        ("", '{"event_typ": ["FAULT"]}'),
        ("", "[" * 100_000),
        ("type:FAULT", '{"event_type": ["FAULT"]}'),
        ("payload.a:1", '{"payload": {"a": [2]}}'),
        ("payload.a.b:1", '{"payload": {"a": {"b": [2]}}}'),
        ("payload.a:1", '{"payload": ["x"]}'),
    ],
)
def test_a_pattern_that_does_not_go_with_the_line_is_named(line: str, pattern: str) -> None:
    found = given_by({"q": line, "filter": pattern})
    assert len(found.wrong) == 1
    parse(found.pattern)


@pytest.mark.parametrize(
    ("pattern", "asked"),
    [
        ({"event_type": "FAULT"}, {"event_type": "FAULT"}),
        ({"key_attributes": {"a": ["x"]}}, {"key_attributes.a": "x"}),
        ({"payload": {"a": {"b": [1]}}}, None),
        ({"$or": [{"event_type": ["FAULT"]}, {"operation": ["READ"]}]}, None),
        ({"event_type": ["FAULT", "WARNING"]}, None),
        ({"entity_id": [{"prefix": "1"}]}, None),
    ],
)
def test_counts_are_asked_for_what_they_can_say(pattern: object, asked: object) -> None:
    assert criteria(given_by({"filter": json.dumps(pattern)})) == asked
