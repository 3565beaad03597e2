"""The search's parameters, its cursors and its SQL: what is taken, what is refused and how."""

import string
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.clickhouse.search import Position, select_newest
from contracts.criteria import Criteria, Search, instant_ms
from contracts.encoding.legible import folded
from contracts.problems import Problem
from query.criteria import next_query, parse_search, read_pairs
from query.cursor import WINDOW_S_MAX, Rest, decode, encode
from tests.builders import texts

REST = Rest(1_790_000_000_000, Position(1_790_000_123_456, uuid.UUID(int=7 << 120)))
HOSTILE = st.sampled_from(
    ["' OR 1=1 --", "\\' OR 1=1", "{tenant:String}", "'; DROP TABLE events", "%", "\\N", "\0", "`"]
)
values = (texts | HOSTILE).filter(bool)


def search(**parameters: Any) -> Search:
    return parse_search(read_pairs(urlencode(parameters).encode()))


def refusal(query: str) -> dict[str, Any]:
    with pytest.raises(Problem) as refused:
        parse_search(read_pairs(query.encode()))
    assert refused.value.status == 400
    return refused.value.document()


def test_every_parameter_is_read() -> None:
    found = search(
        **{"from": "2026-09-21T14:13:20Z", "key_attributes.b.c": "1", "key_attributes.a": " "},
        to="2026-09-21T16:13:20.0001+02:00",
        event_type="FAULT",
        event_source="ORDER",
        operation="READ",
        entity_id="é+ &=",
        entity_name="n",
        q="%'_\\",
        limit=200,
    )
    assert (found.from_, found.to) == (1_790_000_000_000, 1_790_000_000_001)
    assert found.key_attributes == {"a": " ", "b.c": "1"}
    assert (found.event_type, found.event_source, found.operation) == ("FAULT", "ORDER", "READ")
    assert (found.entity_id, found.entity_name, found.q) == ("é+ &=", "n", "%'_\\")
    assert (found.limit, search().limit) == (200, 50)


LONG = "x" * 600
REFUSED = {
    "an unknown parameter": ("colour=red", {"pointer": "/colour"}),
    "the name of a field of ours": ("from_=2026-09-21T14:13:20Z", {"pointer": "/from_"}),
    "a repeated parameter": ("q=a&q=a", {"pointer": "/q", "detail": "came twice"}),
    "a repeated attribute": ("key_attributes.a=1&key_attributes.a=2", {"pointer": "/key_attributes.a"}),
    "an unknown type": ("event_type=ERROR", {"pointer": "/event_type", "size": 5}),
    "another case": ("operation=read", {"pointer": "/operation"}),
    "an empty text": ("q=", {"pointer": "/q", "limit": 1, "size": 0}),
    "an empty name": ("entity_name=", {"pointer": "/entity_name", "limit": 1, "size": 0}),
    "an attribute without a name": ("key_attributes.=1", {"pointer": "/key_attributes.", "size": 0}),
    "attributes without a dot": ("key_attributes=1", {"pointer": "/key_attributes"}),
    "many attributes": (
        "&".join(f"key_attributes.{number}=1" for number in range(6)),
        {"pointer": "/key_attributes", "limit": 5, "size": 6},
    ),
    "a long text": (f"q={LONG}", {"pointer": "/q", "limit": 256, "size": 600}),
    "a long attribute": (
        "key_attributes.a=" + "x" * 8193,
        {"pointer": "/key_attributes.a", "limit": 8192, "size": 8193},
    ),
    "a long entity": (f"entity_id={LONG}", {"pointer": "/entity_id", "limit": 512, "size": 600}),
    "a limit of nothing": ("limit=0", {"pointer": "/limit", "limit": 1}),
    "a limit in Arabic digits": ("limit=%D9%A5", {"pointer": "/limit", "size": 1}),
    "a limit with an underscore": ("limit=1_0", {"pointer": "/limit", "size": 3}),
    "a limit with a sign": ("limit=%2B5", {"pointer": "/limit", "size": 2}),
    "a limit within blanks": ("limit=%205%20", {"pointer": "/limit", "size": 3}),
    "a limit with a point": ("limit=5.0", {"pointer": "/limit", "size": 3}),
    "a limit that is too high": ("limit=201", {"pointer": "/limit", "limit": 200, "size": 3}),
    "a limit that is no number": ("limit=ten", {"pointer": "/limit"}),
    "a day": ("from=2026-09-21", {"pointer": "/from"}),
    "a time without a zone": ("to=2026-09-21T14:13:20", {"pointer": "/to"}),
    "a plus that became a space": ("to=2026-09-21T14:13:20+02:00", {"pointer": "/to"}),
    "a day that is none": ("to=2026-02-30T00:00:00Z", {"pointer": "/to"}),
    "a year that ClickHouse cannot hold": ("to=9999-01-01T00:00:00Z", {"pointer": "/to"}),
    "an end before the start": (
        "from=2026-09-21T14:13:20Z&to=2026-09-21T14:13:20Z", {"pointer": "/from"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("query", "error"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_parameter_is_named(query: str, error: dict[str, Any]) -> None:
    found = refusal(query)["errors"]
    assert len(found) == 1
    assert error.items() <= found[0].items()
    assert found[0]["detail"]


@pytest.mark.parametrize("query", ["q", "q=a&", "=&=", "q=%ff", "q=\xff", "&".join(["a=1"] * 40)])
def test_a_query_that_is_no_form_is_refused(query: str) -> None:
    refusal(query)


def test_a_long_query_is_refused_with_its_size() -> None:
    document = refusal("q=" + "x" * 32767)
    assert (document["size"], document["limit"]) == (32769, 32768)


def test_every_wrong_parameter_is_named_and_no_value_is_repeated() -> None:
    found = refusal("q=&limit=secret&event_type=secret")
    assert {error["pointer"] for error in found["errors"]} == {"/q", "/limit", "/event_type"}
    assert "secret" not in str(found)


@given(
    st.datetimes(
        datetime(1902, 1, 1, tzinfo=UTC).replace(tzinfo=None),
        datetime(2298, 1, 1, tzinfo=UTC).replace(tzinfo=None),
        timezones=st.just(UTC),
    )
)
def test_a_time_is_the_first_millisecond_that_is_not_before_it(at: datetime) -> None:
    found = instant_ms(at.isoformat(timespec="microseconds"))
    exact_us = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert found == -(-exact_us // 1000)


@pytest.mark.parametrize(
    ("fraction", "ms"), [("0000000", 0), ("0000001", 1), ("000999999", 1), ("001000001", 2)]
)
def test_every_digit_of_a_fraction_counts(fraction: str, ms: int) -> None:
    assert instant_ms(f"2026-09-21T14:13:20.{fraction}Z") == 1_790_000_000_000 + ms


@pytest.mark.parametrize("name", ["q", "from", "key_attributes.a", "ü.b c", "[key]", "/", "="])
@pytest.mark.parametrize("text", ["", "x" * 8192])
def test_an_attribute_of_any_name_is_asked_for(name: str, text: str) -> None:
    assert search(**{f"key_attributes.{name}": text}).key_attributes == {name: text}


@given(st.dictionaries(st.sampled_from(["entity_id", "entity_name", "q"]), values))
def test_values_are_read_as_they_were_sent_and_are_never_part_of_the_sql(
    given_: dict[str, str],
) -> None:
    attribute = {f"key_attributes.{name}": text for name, text in given_.items()}
    found = search(**given_, **attribute)
    sql, parameters = select_newest("events", "acme", found, 0, REST.position, 50)
    assert {name: getattr(found, name) for name in given_} == given_
    as_asked = {name: folded(text) if name == "q" else text for name, text in given_.items()}
    assert set(as_asked.values()) <= set(parameters.values())
    other = search(**dict.fromkeys([*given_, *attribute], "x"))
    assert select_newest("events", "acme", other, 0, REST.position, 50)[0] == sql


@given(st.dictionaries(values, values, max_size=5))
def test_names_of_attributes_are_bound_too(attributes: dict[str, str]) -> None:
    criteria = Criteria(key_attributes=attributes)
    sql, parameters = select_newest("events", "acme", criteria, 0, REST.position, 50)
    numbered = Criteria(key_attributes={str(number): "x" for number in range(len(attributes))})
    assert select_newest("events", "acme", numbered, 0, REST.position, 50)[0] == sql
    assert set(attributes) | set(attributes.values()) <= set(parameters.values())


@given(values, values)
def test_the_next_pages_query_has_the_same_parameters_and_fits_a_header(
    text: str, other: str
) -> None:
    pairs = [("q", text), ("cursor", "old"), (f"key_attributes.{other}", other)]
    following = next_query(pairs, "new")
    following.encode("ascii")
    assert not set(following) - set(string.ascii_letters + string.digits + "%&=+-._~*")
    assert parse_qsl(following, keep_blank_values=True) == [pairs[0], pairs[2], ("cursor", "new")]


@given(st.integers(0, 2**42), st.integers(0, 2**42), st.uuids(), st.integers(0, WINDOW_S_MAX))
def test_a_cursor_says_what_it_was_given(
    from_ms: int, received_ms: int, event_id: uuid.UUID, window_s: int
) -> None:
    rest = Rest(from_ms, Position(received_ms, event_id), window_s)
    text = encode(rest, "acme", search(q="a"))
    assert decode(text, "acme", search(q="a", limit=3, cursor=text)) == rest
    assert quote(text) == text


@given(st.data())
def test_a_cursor_that_was_changed_is_refused(data: st.DataObject) -> None:
    text = encode(REST, "acme", search())
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.sampled_from("ABC_-=+/é\0")) + text[at + 1 :]
    if changed != text:
        with pytest.raises(Problem) as refused:
            decode(changed, "acme", search())
        assert refused.value.status == 400
        assert refused.value.errors[0]["pointer"] == "/cursor"


@pytest.mark.parametrize("text", ["A", "AAAA", "....", "é", "=" * 8, "A" * 128])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(Problem):
        decode(text, "acme", search())


@pytest.mark.parametrize("ms", [-(2**63), -4 * 10**16, 2**44 + 1, 2**63 - 1])
def test_a_cursor_of_a_time_that_nobody_can_ask_for_is_refused(ms: int) -> None:
    """Anybody can make one up: such a time cannot be shown, and no bound of a range holds it."""
    for rest in (Rest(ms, REST.position), Rest(0, Position(ms))):
        with pytest.raises(Problem) as refused:
            decode(encode(rest, "acme", search()), "acme", search())
        assert refused.value.status == 400


def test_a_cursor_of_another_tenant_or_of_other_criteria_is_refused() -> None:
    text = encode(REST, "acme", search(q="a"))
    for tenant, criteria in (("other", search(q="a")), ("acme", search(q="b")), ("acme", search())):
        with pytest.raises(Problem):
            decode(text, tenant, criteria)
