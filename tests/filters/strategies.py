"""Patterns and events that meet often enough: few names, few texts, every operator."""

import base64
import json
from typing import Any, get_args

from hypothesis import strategies as st

from contracts.encoding.codec import EventJson, PayloadJson
from contracts.events import EventSource, EventType, Operation

NAMES = ("a", "b", "c", "a.b", "b.c")
TEXTS = (
    *("", "a", "ab", "abc", "abcab", "b", "ba", "B", "AB", "x*y", "\\", "a\\*", "a\nb", "a b", "n"),
    *(
        "é",
        "É",
        "ß",
        "SS",
        "ss",
        "straße",
        "STRASSE",
        "K",
        "\u212a",
        "k",
        "\u0131",
        "I",
        "i",
        "İ",
        "Σ",
    ),
    *(
        "\u03c3",
        "ς",
        "Ǆ",
        "ǅ",
        "ǆ",
        "\x00",
        "a😀",
        "10.0.0.1",
        "10.0.0.01",
        "10.0.1.0",
        "10.0.0.256",
    ),
    *(
        "2001:db8::1",
        "2001:DB8:0::1",
        "::1",
        "::",
        "::ffff:10.0.0.1",
        "::ffff:a00:1",
        "null",
        "true",
    ),
    *("5", "5.0", "0", "-0", "1e3", "0.1", "0.10000000000000001", "12345678901234567", "05", "+5"),
    *("/ab", "/ab/", "a/ab/b", "/ab/ab/", "abcab/ab"),
    *("1000", "-1.5", "9007199254740992", "9007199254740993", "1e400", "NaN", " 5", "a" * 40),
)
INTEGERS = (0, 1, 5, -1, 1000, 2**53, 2**53 + 1, -(2**53) - 1, 12345678901234567, 2**63)
FLOATS = (0.0, -0.0, 0.1, 0.5, -1.5, 5.0, 1000.0, 1e22, 1.5e300, 5e-300, 1e17)

texts = st.sampled_from(TEXTS) | st.text("abAB*\\5.", max_size=4)
numbers = st.sampled_from(INTEGERS) | st.sampled_from(FLOATS) | st.integers(-3, 9)
leaves = texts | texts | numbers | st.booleans() | st.none()
bounds = st.sampled_from([each for each in (*INTEGERS, *FLOATS) if float(each) == each]).filter(
    lambda each: repr(float(each)) in (repr(each), f"{each}.0") or isinstance(each, float)
) | st.integers(-3, 9)


def wildcards() -> st.SearchStrategy[str]:
    """At most two stars, so that the score stays low."""
    piece = st.sampled_from(
        ("", "a", "b", "ab", "abc", "B", "\\*", "é", "\n", "5", ".", "/ab", "/ab/")
    )
    return (
        st.lists(piece, min_size=1, max_size=3).map("*".join).filter(lambda text: "**" not in text)
    )


@st.composite
def numeric(draw: st.DrawFn) -> list[Any]:
    one = draw(bounds)
    if draw(st.booleans()):
        return [draw(st.sampled_from(("=", ">", ">=", "<", "<="))), one]
    other = draw(bounds.filter(lambda each: each != one))
    low, high = min(one, other), max(one, other)
    return [draw(st.sampled_from((">", ">="))), low, draw(st.sampled_from(("<", "<="))), high]


some_texts = texts | st.lists(texts, min_size=1, max_size=3)
cidrs = st.sampled_from(
    ("10.0.0.0/24", "10.0.0.7/8", "0.0.0.0/0", "10.0.0.0/31", "2001:db8::/32", "::/0", "::/127")
)
operators = st.one_of(
    texts.map(lambda text: {"prefix": text}),
    texts.map(lambda text: {"suffix": text}),
    texts.map(lambda text: {"prefix": {"equals-ignore-case": text}}),
    texts.map(lambda text: {"suffix": {"equals-ignore-case": text}}),
    texts.map(lambda text: {"equals-ignore-case": text}),
    wildcards().map(lambda text: {"wildcard": text}),
    numeric().map(lambda bounds: {"numeric": bounds}),
    cidrs.map(lambda block: {"cidr": block}),
    st.booleans().map(lambda wanted: {"exists": wanted}),
    some_texts.map(lambda given: {"anything-but": given}),
    st.lists(st.integers(-3, 9), min_size=1, max_size=3).map(lambda given: {"anything-but": given}),
    st.tuples(st.sampled_from(("prefix", "suffix")), texts.filter(bool)).map(
        lambda pair: {"anything-but": {pair[0]: pair[1]}}
    ),
    some_texts.map(lambda given: {"anything-but": {"equals-ignore-case": given}}),
    wildcards().map(lambda text: {"anything-but": {"wildcard": text}}),
)
clauses = st.lists(leaves | operators, min_size=1, max_size=3)


@st.composite
def fields_of(draw: st.DrawFn, names: tuple[str, ...], member: Any) -> dict[str, Any]:
    """An object of some of `names`, perhaps with `$or` over others of them."""
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    pattern = {name: draw(member(name)) for name in chosen}
    others = tuple(name for name in names if name not in chosen)
    if others and draw(st.integers(0, 3)) == 0:
        branch = st.sampled_from(others).flatmap(lambda n: st.fixed_dictionaries({n: member(n)}))
        pattern["$or"] = draw(st.lists(branch, min_size=2, max_size=3))
    return pattern


def members(depth: int = 2) -> Any:
    """What a name of a document has: a list, or an object of names."""

    def member(name: str) -> st.SearchStrategy[Any]:
        if depth == 0:
            return clauses
        inner = fields_of(("a", "b", "c"), members(depth - 1))
        return st.integers(0, 2).flatmap(lambda n: inner if n == 0 else clauses)

    return member


document_patterns = fields_of(NAMES, members())

CLOSED = {"event_type": EventType, "event_source": EventSource, "operation": Operation}


def event_member(name: str) -> st.SearchStrategy[Any]:
    if name in ("payload", "fault"):
        return document_patterns
    if name == "key_attributes":
        return fields_of(NAMES, lambda _: clauses)
    if name in CLOSED:
        return st.lists(st.sampled_from(get_args(CLOSED[name])) | operators, min_size=1, max_size=3)
    return clauses


EVENT_NAMES = (*CLOSED, "entity_id", "entity_name", "key_attributes", "payload", "fault")
patterns: st.SearchStrategy[Any] = fields_of(EVENT_NAMES, event_member) | st.just({})

values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=8,
)
documents = st.dictionaries(st.sampled_from(NAMES), values, max_size=4)


def encoded(document: Any) -> str:
    """As the event carries it."""
    return base64.b64encode(json.dumps(document).encode()).decode()


payloads = (
    st.none()
    | documents.map(encoded)
    | documents.map(encoded)
    | st.lists(documents, max_size=2).map(encoded)
    | st.sampled_from((b"", b"{", b"[1] 2", b"\xff", b'{"a": NaN}', b'{"a":"\\ud800"}', b"5")).map(
        lambda raw: base64.b64encode(raw).decode()
    )
    | st.just(base64.b64encode(b'{"a": "a", "b": "b", "a": "ab"}').decode())
)


@st.composite
def events(draw: st.DrawFn) -> EventJson:
    """An event with its defaults filled."""
    entity_id = draw(texts.filter(bool))
    return EventJson(
        entity_id=entity_id,
        entity_name=draw(st.none() | texts),
        event_payload=PayloadJson(
            base64_encoded_fault_json=draw(payloads),
            base64_encoded_payload_json=draw(payloads),
            entity_id=entity_id,
            key_attributes=draw(st.dictionaries(st.sampled_from(NAMES), texts, max_size=3)),
            operation=draw(st.sampled_from(get_args(Operation))),
        ),
        event_source=draw(st.sampled_from(get_args(EventSource))),
        event_type=draw(st.sampled_from(get_args(EventType))),
        id="01234567-89ab-7def-8123-456789abcdef",
    )
