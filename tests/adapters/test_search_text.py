"""Text is found as a person reads it: any part of what was posted, by the materializer's own encoder."""

import json
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.criteria import Criteria
from contracts.encoding.block import INSERT_FORMAT, Block, Row, row
from contracts.encoding.wire import decode_event
from query.cursor import Rest
from service.clickhouse import ClickHouse
from tests.adapters.test_pages import NOW_MS, RANGE, Database, database, v7
from tests.builders import an_event, represented, texts
from tests.examples import examples

__all__ = ["database"]
RECENT = Rest(NOW_MS - 1000, RANGE.position)

Writer = Callable[[str], str]
SLASHED: Writer = lambda text: json.dumps(text).replace("/", "\\/")  # noqa: E731 - as PHP does
WRITERS: list[Writer] = [
    str,
    json.dumps,
    SLASHED,
    lambda text: json.dumps({text: 1}, ensure_ascii=False),
    lambda text: json.dumps({"message": text}),
    lambda text: json.dumps({"body": json.dumps([text])}),
    lambda text: json.dumps(json.dumps({"body": json.dumps(text, ensure_ascii=False)})),
]
CASES: list[Writer] = [str, str.upper, str.lower, str.swapcase, str.title, str.casefold]


def held(database: Database, *texts: tuple[bytes | None, bytes | None]) -> list[str]:
    """Put nothing but events with these payloads and faults into the table; their ids."""
    rows: list[Row] = []
    for number, (payload, fault) in enumerate(texts):
        event = decode_event(represented(an_event(), v7(NOW_MS - number, number)))
        made = row("acme", 0, number, NOW_MS - number, event)
        made.payload, made.fault = payload, fault
        rows.append(made)
    block = Block()
    block.add(rows)

    async def fill(clickhouse: ClickHouse) -> None:
        table = f"{database.name}.events"
        await clickhouse.execute(f"TRUNCATE TABLE {table}")
        await clickhouse.insert(table, block.columns, INSERT_FORMAT, lambda: block.pieces(0), {})

    database.run(fill)
    return [str(uuid.UUID(each.event.id)) for each in rows]


def found(database: Database, text: str) -> list[str]:
    """The ids that a search for this text finds."""
    return [each["id"] for page in database.walk(Criteria(q=text), 50, RECENT) for each in page]


@settings(max_examples=examples(80))
@given(
    st.data(), texts.filter(bool), st.sampled_from(WRITERS), st.sampled_from(CASES), st.booleans()
)
def test_any_part_of_any_text_finds_its_event_in_any_case(
    database: Database, data: st.DataObject, text: str, write: Writer, case: Writer, of_fault: bool
) -> None:
    stored = write(text).encode()
    [wanted, _] = held(database, (None, stored) if of_fault else (stored, None), (b"{}", None))
    whole = data.draw(st.sampled_from([text, write(text)]), label="as meant, or as posted")
    start = data.draw(st.integers(0, len(whole) - 1))
    part = whole[start : data.draw(st.integers(start + 1, len(whole)))][:256]
    if case(part).casefold() == part.casefold() and len(case(part)) <= 256:
        part = case(part)
    assert wanted in found(database, part)


@settings(max_examples=examples(20))
@given(st.binary(min_size=1, max_size=20), texts.filter(bool))
def test_bytes_that_are_no_text_hide_nothing(database: Database, noise: bytes, text: str) -> None:
    [wanted] = held(database, (b" ".join([noise, text.encode(), noise]), noise))
    assert found(database, text) == [wanted]


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("Straße", "STRASSE"),
        ("STRASSE", "straße"),
        ("STRAẞE", "strasse"),
        ("ΣΊΣΥΦΟς", "σίσυφοΣ"),
        ("Ꭰꭰ", "ꭰᎠ"),
        ("kelvin", "\u212aelvin"),
        ("ﬁne", "FINE"),
        ("a\x00b", "A\x00B"),
    ],
)
def test_case_is_folded_alike_on_both_sides(database: Database, stored: str, asked: str) -> None:
    [wanted, _] = held(database, (stored.encode(), None), (b"strase", b"fie"))
    assert found(database, asked) == [wanted]


@pytest.mark.parametrize(("stored", "asked"), [("Müller", "Muller"), ("a", "å"), ("é", "e\u0301")])
def test_accents_are_kept(database: Database, stored: str, asked: str) -> None:
    held(database, (stored.encode(), stored.encode()))
    assert found(database, asked) == []


def test_nothing_is_found_across_payload_and_fault(database: Database) -> None:
    held(database, ("ä".encode(), "ö".encode()), (b"a", b"b"), (rb"x\/", rb"\/y"))
    for asked in ("ä\0ö", "äö", "ab", "a\0b", "//", "/\0/"):
        assert found(database, asked) == []
