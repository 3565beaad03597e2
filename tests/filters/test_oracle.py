"""What event-ruler answers, the naive evaluator answers, but for what docs/reference/filters.md lists.

The patterns and events are made by hypothesis and lie inside `payload`, where the whole language
applies; the cases with answers of the engine are read where they are there.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bench import ruler
from contracts.encoding.codec import EventJson, PayloadJson
from contracts.filters import Refused, View, matches, parse
from contracts.filters.cost import score
from contracts.filters.operators import read_predicate
from contracts.filters.tree import Field
from tests.examples import examples
from tests.filters import strategies


@pytest.fixture(scope="module", autouse=True)
def running() -> None:
    ruler.start()


CASES = Path(__file__).parents[3] / "shared" / "data" / "event-pattern-cases.json"

DEVIATIONS = {
    "we accept a scalar": True,
    "the same field outside and inside $or": None,
    "$or over an object is a field": None,
    "$or over plain values is a field": None,
    "an IPv6 block that takes an IPv4 address": False,
    "EventBridge itself refuses costly patterns": None,
}
"""Part of a case's reason, and our answer."""


def view_of(document: str) -> View:
    event = EventJson(
        entity_id="1",
        event_payload=PayloadJson(
            operation="READ",
            base64_encoded_payload_json=base64.b64encode(document.encode()).decode(),
            key_attributes={},
        ),
        event_source="ORDER",
        event_type="FAULT",
        id="",
    )
    return View(event)


def ours(pattern: Any, document: str) -> bool | None:
    """None when the pattern is refused."""
    try:
        return matches(parse({"payload": pattern}), view_of(document))
    except Refused:
        return None


@pytest.mark.skipif(
    not CASES.exists(),
    reason=f"{CASES.name} is not in ../shared/data; event-ruler is asked about our own cases below",
)
def test_the_cases() -> None:
    cases = json.loads(CASES.read_text())
    assert len(cases) >= 183
    for case in cases:
        expected = case["matches"]
        for reason, answer in DEVIATIONS.items():
            if reason in case["why"]:
                expected = answer
        assert ours(case["pattern"], json.dumps(case["event"])) == expected, case


def deviates(pattern: Any, document: str) -> bool:
    """Where our answer is meant to be another one: `::/0`, and letters beyond the BMP in any case."""
    return '"::/0"' in json.dumps(pattern) or "::ffff:a00:1" in document


@settings(max_examples=examples(300))
@given(strategies.document_patterns, st.lists(strategies.documents, min_size=1, max_size=4))
def test_event_ruler_agrees(pattern: Any, documents: list[Any]) -> None:
    try:
        filter_ = parse({"payload": pattern})
    except Refused as refused:
        why = str(refused)
        assume("there twice" not in why and "too many" not in why and "complex" not in why)
        filter_ = None
    assert (ruler.refuses(pattern) is None) == (filter_ is not None), pattern
    if filter_ is None:
        return
    for document in map(json.dumps, documents):
        if not deviates(pattern, document):
            expected = ruler.matches(pattern, document)
            assert matches(filter_, view_of(document)) == expected, (pattern, document)


BROKEN: tuple[Any, ...] = (
    {"a": [{"prefix": ["a", "b"]}]},
    {"a": [{"prefix": "a", "suffix": "b"}]},
    {"a": [{}]},
    *({"a": [{"anything-but": value}]} for value in ([], [None], [True], [1, "x"], {"prefix": ""})),
    *(
        {"a": [{"numeric": bounds}]}
        for bounds in ([], ["<", 5, ">", 0], [">=", 5, "<=", 5], ["!=", 5])
    ),
    *({"a": [{"numeric": bounds}]} for bounds in ([">", "0"], [">", 0, "<", 0], [">", 2**53 + 1])),
    *({"a": [{"cidr": value}]} for value in ("10.0.0.0/32", "10.0.0.1", "10.0.0.0/33", "::/128")),
    *({"a": [{"wildcard": value}]} for value in ("a**b", "a\\b", "a\\", 5, ["a*"])),
    *({"a": [{"exists": value}]} for value in ("true", None, 1)),
    *({"$or": value} for value in ([], [{"a": ["x"]}], [{"prefix": ["x"]}, {"b": ["y"]}])),
    *({"a": []}, {"a": {}}, {"a": [{"foo": "x"}]}, {"a": [["x"]]}),
)


@pytest.mark.parametrize("pattern", BROKEN, ids=json.dumps)
def test_what_event_ruler_refuses_is_refused(pattern: Any) -> None:
    assert ruler.refuses(pattern)
    assert ours(pattern, "{}") is None


@settings(max_examples=examples(300))
@given(st.lists(st.sampled_from(("a", "b", "aa", "ab", "aba", "")), min_size=1, max_size=7))
def test_the_score_is_event_rulers(pieces: list[str]) -> None:
    text = "*".join(pieces)
    assume("**" not in text and text != "*")  # which scores 2 there, and 1 here
    predicate = read_predicate({"wildcard": text}, Field("payload", "a"), "", None)
    assert score([predicate]) == ruler.score({"a": [{"wildcard": text}]})


@pytest.mark.parametrize(
    "spelling", ["0.10000000000000001", "1e400", "12345678901234567.0", "-0.0"]
)
def test_numbers_that_python_cannot_hold(spelling: str) -> None:
    document = f'{{"a": {spelling}, "b": [0.1, 0]}}'
    for pattern in ({"a": [0.1]}, {"a": [{"numeric": [">=", 0]}]}, {"a": [0]}, {"b": [0.1]}):
        assert ours(pattern, document) == ruler.matches(pattern, document)


def test_letters_beyond_the_bmp_have_cases_and_blocks_of_ipv6_no_ipv4() -> None:
    """Ours differ on purpose."""
    for pattern, value in (({"equals-ignore-case": "𐐀"}, "𐐨"), ({"cidr": "::/0"}, "10.0.0.7")):
        document = json.dumps({"a": value})
        assert ours({"a": [pattern]}, document) != ruler.matches({"a": [pattern]}, document)


def test_a_name_that_comes_twice_counts_twice() -> None:
    for value in ("x", "y"):
        assert ours({"a": [value]}, '{"a": "x", "a": "y"}')
        assert ruler.matches({"a": [value]}, '{"a": "x", "a": "y"}')
