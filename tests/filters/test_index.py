"""The index answers what the naive evaluator answers, whatever was put and removed before."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contracts.encoding.wire import decode_event
from contracts.filters import Failure, Filter, Index, Refused, View, matches, parse
from contracts.filters.naive import hold_together
from contracts.filters.tree import Clause, Field
from tests.builders import a_payload, an_event, represented
from tests.examples import examples
from tests.filters import strategies

ID = "01a20d33-994f-74a1-8936-e15ecec113da"


def parsed(pattern: Any) -> Filter:
    try:
        return parse(pattern)
    except Refused:
        assume(False)
        raise


@settings(max_examples=examples(200))
@given(
    st.lists(strategies.patterns, min_size=1, max_size=12),
    st.lists(strategies.events(), min_size=1, max_size=4),
    st.data(),
)
def test_index_is_naive(patterns: list[Any], events: list[Any], data: st.DataObject) -> None:
    filters = {str(number): parsed(pattern) for number, pattern in enumerate(patterns)}
    index = Index()
    for number, each in filters.items():
        index.put("t", number, each)
    _agree(index, filters, events)
    for number in data.draw(st.lists(st.sampled_from(sorted(filters)), unique=True)):
        if data.draw(st.booleans()):
            index.remove("t", number)
            del filters[number]
        else:
            filters[number] = filters[data.draw(st.sampled_from(sorted(filters)))]
            index.put("t", number, filters[number])
    _agree(index, filters, events)
    for number in filters:
        index.remove("t", number)
    assert not index.has("t")


def _agree(index: Index, filters: dict[str, Filter], events: list[Any]) -> None:
    for event in events:
        found = list(index.matching("t", View(event)))
        assert len(found) == len(set(found))
        assert set(found) == {n for n, each in filters.items() if matches(each, View(event))}


@settings(max_examples=examples(100))
@given(
    st.lists(strategies.patterns, min_size=1, max_size=3), strategies.events(), st.integers(5, 9)
)
def test_many_of_a_kind(patterns: list[Any], event: Any, times: int) -> None:
    """More than lie in one list: nodes below nodes, and back to nothing."""
    filters = [parsed(pattern) for pattern in patterns]
    index = Index()
    for number in range(times):
        for kind, each in enumerate(filters):
            index.put("t", f"{kind}-{number}", each)
    expected = {
        f"{kind}-{number}"
        for kind, each in enumerate(filters)
        if matches(each, View(event))
        for number in range(times)
    }
    assert set(index.matching("t", View(event))) == expected
    for number in range(1, times):
        for kind in range(len(filters)):
            index.remove("t", f"{kind}-{number}")
    assert set(index.matching("t", View(event))) == {n for n in expected if n.endswith("-0")}


class Broken:
    """A predicate that fails, as none does."""

    def accepts(self, value: object) -> bool:
        raise ZeroDivisionError(value)


@given(strategies.events())
def test_a_failing_filter_is_answered_with_its_id(event: Any) -> None:
    broken: Any = Broken()
    clause = Clause(Field("event", "entity_id"), (broken,))
    good = parse({"entity_id": [{"exists": True}]})
    index = Index()
    for number in range(9):
        index.put("t", f"good-{number}", good)
    same = parse({"event_type": event.event_type}).conjunctions[0]
    index.put("t", "broken", Filter(((clause,),)))
    index.put("t", "broken below", Filter(((*same, clause),)))
    found = index.matching("t", View(event))
    failures = {each.subscription_id: each.cause for each in found if isinstance(each, Failure)}
    assert failures.keys() == {"broken", "broken below"}
    assert all(isinstance(cause, ZeroDivisionError) for cause in failures.values())
    assert {each for each in found if isinstance(each, str)} == {f"good-{n}" for n in range(9)}


def test_tenants_do_not_meet() -> None:
    index = Index()
    index.put("one", "s", parse({}))
    event: Any = None  # which is not even looked at
    assert not index.matching("two", View(event))
    assert not index.has("two")
    index.remove("two", "s")
    index.remove("one", "s")
    assert not index.has("one")


def test_what_many_values_of_a_document_lead_to_is_verified_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls, together = 0, hold_together

    def counted(*asked: Any) -> bool:
        nonlocal calls
        calls += 1
        return together(*asked)

    monkeypatch.setattr("contracts.filters.checks.hold_together", counted)
    index = Index()
    for name, accepted in {
        "equal": "1",
        "prefix": {"prefix": "x"},
        "number": {"numeric": [">", 0]},
    }.items():
        index.put("t", name, parse({"payload": {"a": {"b": [accepted], "c": ["z"]}}}))
    elements: list[Any] = [{"b": each} for n in range(500) for each in ("1", f"x{n}", n)]
    raw = strategies.encoded({"a": [*elements, {"c": "z"}]})
    body = an_event(event_payload=a_payload(base64_encoded_payload_json=raw))
    view = View(decode_event(represented(body, ID)))
    assert not index.matching("t", view)
    assert calls <= 3
