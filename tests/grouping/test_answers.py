"""Answers about failures and counts against those of plain FINAL.

Over repeats, erasures, two months, parts that are merged or not, and rows that have expired.
"""

import json
import re
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.clickhouse import counts, fault_states, faults
from contracts.clickhouse.counts import select_by_time, select_values
from contracts.clickhouse.fault_states import select_since
from contracts.clickhouse.faults import Groups, Place, read_groups
from contracts.clickhouse.ledger import UNQUOTED, Query
from contracts.clickhouse.schema import migrations, statements
from contracts.counts import CountedBy, CountSearch, FieldSearch
from contracts.criteria import FINGERPRINT_PATTERN
from contracts.faults import FaultCriteria
from contracts.intervals import span
from tests.examples import examples
from tests.grouping.test_groups import Engine

MONTH_MS = 1_785_542_400_000
"""2026-08-01: rows lie on both sides of it."""
DAY_MS = 86_400_000
FIRST_MS, LAST_MS = MONTH_MS - 20 * DAY_MS, MONTH_MS + 20 * DAY_MS
SECONDS = (LAST_MS - FIRST_MS) // 1000
SPAN = span(FIRST_MS, LAST_MS, "day")
TILL = "leftPad(lower(hex(cityHash64(toUInt16(0), 'till'))), 16, '0')"
ANY = FaultCriteria()
BY: tuple[CountedBy | None, ...] = (None, "event_source", "fault", "status")
MERGED_MONTHS = ("", "202607", "202608")
SHORT = """SELECT word FROM (
    SELECT concat('no ', char(97 + number % 26), char(97 + intDiv(number, 26) % 26),
        char(97 + intDiv(number, 676))) AS word FROM numbers(17576))
WHERE length(hex(cityHash64(toUInt16(0), word))) < 16 LIMIT 1"""
"""A message whose hash begins with a zero."""
VIEWS = ("faults", "faults_since")
COLUMNS = (
    "fingerprint, status, message, count, first_seen, last_seen, entities, sample_id, by_operation"
)


class Row(NamedTuple):
    """A row as it is inserted."""

    id: str
    received_ms: int
    message: str
    source: str
    entity: str

    def json(self) -> str:
        return json.dumps(
            {
                "tenant": "acme", "id": self.id, "event_type": "ENTITY_EVENT",
                "received_at": f"{self.received_ms // 1000}.{self.received_ms % 1000:03d}",
                "event_source": self.source, "operation": "READ", "entity_id": self.entity,
                "fault": json.dumps({"message": self.message}) if self.message else None,
            }
        )  # fmt: skip


def made(number: int) -> Row:
    """The only event that this number makes: whatever is stored of it again is the same."""
    received_ms = FIRST_MS + number * 7_919 % SECONDS * 1000 + number
    event_id = str(uuid.UUID(int=received_ms << 80 | 7 << 76 | 2 << 62 | number))
    said = ("", "till", "shelf")[number % 3]
    return Row(event_id, received_ms, said, ("ORDER", "PRODUCT")[number % 2], f"e{number % 4}")


@st.composite
def keyed(draw: st.DrawFn) -> Row:
    """A record under one of few keys: of these two may differ in all that they say."""
    number = draw(st.integers(0, 5))
    spread = number * 0x9E3779B97F4A7C15 % 2**48
    event_id = str(uuid.UUID(int=spread << 80 | 8 << 76 | 2 << 62 | number))
    received_ms = FIRST_MS + draw(st.integers(0, SECONDS - 1)) * 1000 + 100 + number
    source = draw(st.sampled_from(["ORDER", "PRODUCT"]))
    said = draw(st.sampled_from(["", "till", "shelf"]))
    return Row(event_id, received_ms, said, source, f"e{draw(st.integers(0, 3))}")


rows = st.integers(0, 40).map(made) | keyed()
tables = st.lists(st.lists(rows, min_size=1, max_size=8), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """With the views of the migration before beside those of now, as `plain_faults` and so on."""
    engine = Engine("d")
    engine.migrate()
    before = next(each for each in migrations() if each.name == "fault_groups")
    for name in VIEWS:
        head = f"CREATE OR REPLACE VIEW d.{name}\n"
        [view] = [each for each in statements(before.text, "d") if head in each]
        engine.run(view.replace(f"d.{name}\n", f"d.plain_{name}\n"))
    for name, value in UNQUOTED.items():
        engine.run(f"SET {name} = {value}")
    days = (time.time_ns() // 1_000_000 - MONTH_MS) // DAY_MS + 10  # expired: ten days and older
    engine.run(f"ALTER TABLE d.events MODIFY TTL received_at + INTERVAL {days} DAY")
    yield engine
    engine.close()


def hold(engine: Engine, parts: Sequence[Sequence[Row]], erased: Sequence[str] = ()) -> None:
    """Nothing but these rows, each insert a part of its own; what was `erased` is still there."""
    for table in ("events", "erasures"):
        engine.run(f"TRUNCATE TABLE d.{table}")
    engine.run("SYSTEM STOP MERGES d.events")
    for part in parts:
        engine.run("INSERT INTO d.events FORMAT JSONEachRow\n" + "\n".join(map(Row.json, part)))
    for event_id in erased:
        engine.run(
            "INSERT INTO d.erasures (tenant, id, erased_at, kafka_partition, kafka_offset, final)"
            f" VALUES ('acme', '{event_id}', now64(3), 0, 1, true)"
        )


def merge(engine: Engine, month: str) -> None:
    """Merge the parts of a month, which takes away what has expired; not those of the other one."""
    engine.run("SYSTEM START MERGES d.events")
    engine.run(f"OPTIMIZE TABLE d.events PARTITION {month} FINAL")
    engine.run("SYSTEM STOP MERGES d.events")


def queries(till: str) -> list[Query]:
    """Every question; `till` is a fingerprint."""
    some = Groups("d", "acme", FaultCriteria(event_source="ORDER", q="TILL"), SPAN)
    found = [some.page("count", Place(), 50), some.entities()]
    for asked in (SPAN, span(MONTH_MS - 3 * DAY_MS, LAST_MS, "day")):
        for of in (Groups("d", "acme", ANY, asked), Groups("d", "acme", ANY, asked, till)):
            found += [of.page("last_seen", Place(), 50), of.entities()]
        for by in BY:
            found.append(select_by_time("d", "acme", CountSearch(), asked, by))
            found.append(select_by_time("d", "acme", CountSearch(entity_id="e1"), asked, by))
    field = FieldSearch(field="event_source", entity_id="e1", q="till")
    found.append(select_values("d", "acme", field, FIRST_MS, LAST_MS))
    return [*found, select_since("d", "acme", {till: MONTH_MS, "none": FIRST_MS})]


def plainly(till: str) -> list[Query]:
    """The same, all rows compared by FINAL."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (counts, faults, fault_states):
            patch.setattr(module, "merged", lambda *_: "")
        return queries(till)


def differing(engine: Engine) -> list[str]:
    """The questions whose answers are not those of plain FINAL."""
    [[till]] = engine.rows(f"SELECT {TILL}")
    pairs = zip(queries(str(till)), plainly(str(till)), strict=True)
    wrong = [
        new[0]
        for new, old in pairs
        if sorted(engine.run(*new).splitlines()) != sorted(engine.run(*old).splitlines())
    ]
    for view in ("faults", f"faults_since(since = fromUnixTimestamp64Milli({MONTH_MS}))"):
        found, plain = (
            engine.rows(f"SELECT {COLUMNS} FROM d.{prefix}{view} ORDER BY fingerprint")
            for prefix in ("", "plain_")
        )
        wrong += [view] if found != plain else []
    return wrong


@given(tables, st.lists(rows.map(lambda row: row.id), max_size=3), st.sampled_from(MERGED_MONTHS))
@settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_answers_are_those_of_plain_final(
    engine: Engine, parts: list[list[Row]], erased: list[str], month: str
) -> None:
    hold(engine, parts, erased)
    assert not differing(engine)
    if month:
        merge(engine, month)
        assert not differing(engine)


def test_a_failure_that_gives_way_to_none_is_not_counted(engine: Engine) -> None:
    late = Row(str(uuid.UUID(int=8 << 76 | 2 << 62)), MONTH_MS, "till", "ORDER", "e1")
    stays = late._replace(received_ms=MONTH_MS + 1, message="")
    hold(engine, [[late], [stays]])
    assert engine.rows("SELECT count() FROM d.faults") == [[0]]
    page = Groups("d", "acme", ANY, SPAN).page("count", Place(), 50)
    assert engine.run(*page) == ""
    hold(engine, [[late], [late._replace(received_ms=MONTH_MS - 1, message="")]])
    assert engine.rows("SELECT count FROM d.faults") == [[1]]


def test_what_was_erased_is_not_counted_while_its_row_is_there(engine: Engine) -> None:
    hold(engine, [[made(1), made(2)], [made(2), made(3)]], [made(2).id])
    for by in BY:
        lines = engine.run(*select_by_time("d", "acme", CountSearch(), SPAN, by)).splitlines()
        assert sum(json.loads(line)[2] for line in lines) == 2


def test_fingerprints_have_sixteen_digits_whatever_they_begin_with(engine: Engine) -> None:
    """One in 256 was shorter, and was no group's for whoever asked for it."""
    [[message]] = engine.rows(SHORT)
    hold(engine, [[made(1)._replace(message=str(message))]])
    [seen, stored] = engine.rows(
        "SELECT fingerprint FROM d.faults UNION ALL SELECT fault_fingerprint FROM d.events"
    )
    assert seen == stored
    assert re.fullmatch(FINGERPRINT_PATTERN, str(seen[0]))
    [group] = read_groups(
        engine.run(*Groups("d", "acme", ANY, SPAN, str(seen[0])).page("count", Place(), 1)).encode()
    )
    assert group.fingerprint == seen[0]
