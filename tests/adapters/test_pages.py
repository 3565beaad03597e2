"""Pages of a search in a real ClickHouse, against a plain reading of the same rows."""

import asyncio
import base64
import functools
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.clickhouse.search import Position, Statistics
from contracts.criteria import Criteria
from query import windows
from query.cursor import Rest
from query.pages import Pages
from query.scan import Limits, TooSlow
from query.slots import Slots, TooManySearches
from service.clickhouse import ClickHouse, ClickHouseFailed
from service.connections import ClickHouseConnection
from tests.builders import NO_ROWS, texts
from tests.examples import examples
from tests.schema import create_schema
from tests.stack import Stack

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000
RANGE = Rest(NOW_MS - 90 * DAY_MS, Position(NOW_MS + 1))


@dataclass(frozen=True)
class Stored:
    """A row of the table."""

    id: str
    received_ms: int
    event_type: str = "FAULT"
    entity_id: str = "1"
    key_attributes: dict[str, str] = field(default_factory=dict)
    payload: str | None = None
    fault: str | None = None
    tenant: str = "acme"

    def json(self) -> str:
        """Its JSONEachRow."""
        return json.dumps(
            vars(self)
            | {"received_at": f"{self.received_ms // 1000}.{self.received_ms % 1000:03d}"}
            | {"event_source": "ORDER", "operation": "READ", "payload_entity_id": self.entity_id}
        )


@dataclass
class Database:
    """A database of its own with an empty table of events."""

    url: str
    name: str = field(default_factory=lambda: f"t_{uuid.uuid4().hex}")
    took: list[Statistics] = field(default_factory=list)
    rests: list[Rest] = field(default_factory=list)

    def run(self, use: Callable[[ClickHouse], Any]) -> Any:
        """What `use` makes of a client."""

        async def once() -> Any:
            clickhouse = ClickHouse(ClickHouseConnection(url=self.url, database=self.name))
            try:
                return await use(clickhouse)
            finally:
                await clickhouse.close()

        return asyncio.run(once())

    def hold(self, *inserts: Sequence[Stored]) -> None:
        """Put nothing but these rows into the table: each insert a part of its own."""

        async def fill(clickhouse: ClickHouse) -> None:
            await clickhouse.execute(f"TRUNCATE TABLE {self.name}.events")
            for rows in inserts:
                columns = [*json.loads(rows[0].json())]
                columns.remove("received_ms")
                lines = "\n".join(row.json() for row in rows).encode()
                body: functools.partial[list[bytes]] = functools.partial(list, [lines])
                await clickhouse.insert(
                    f"{self.name}.events", columns, "JSONEachRow", body,
                    {"async_insert": 0, "input_format_skip_unknown_fields": 1},
                )  # fmt: skip

        self.run(fill)

    def walk(self, criteria: Criteria, limit: int, rest: Rest = RANGE, **limits: Any) -> list[Any]:
        """Every page of acme's search; `took` says what each took, `rests` what was left behind it."""
        self.took, self.rests = [], []

        async def pages(clickhouse: ClickHouse) -> list[Any]:
            bounds = Limits(10_000_000, 30.0, 2)._replace(**limits)
            finder = Pages(clickhouse.select, self.name, bounds, Slots(1, 1, 5))
            found, now = [], rest
            while True:
                page = await finder.find("acme", criteria, now, limit)
                found.append([json.loads(event) for event in page.events])
                self.took.append(page.took)
                if page.rest is None:
                    return found
                assert page.rest.position < now.position
                self.rests.append(now := page.rest)

        return list(self.run(pages))


@pytest.fixture(scope="module")
def database(stack: Stack) -> Iterator[Database]:
    made = Database(stack.status["clickhouse"])

    async def create(clickhouse: ClickHouse) -> None:
        await create_schema(clickhouse, made.name)
        # a row that was inserted twice must be seen twice, whenever ClickHouse would merge
        await clickhouse.execute(f"SYSTEM STOP MERGES {made.name}.events")

    made.run(create)
    yield made
    made.run(lambda clickhouse: clickhouse.execute(f"DROP DATABASE {made.name}"))


def v7(received_ms: int, number: int) -> str:
    return str(uuid.UUID(int=received_ms << 80 | 7 << 76 | 2 << 62 | number))


def v8(number: int) -> str:
    spread = number * 0x9E3779B97F4A7C15 % 2**48
    return str(uuid.UUID(int=spread << 80 | 8 << 76 | 2 << 62 | number))


def expected(rows: Sequence[Stored], criteria: Criteria) -> list[str]:
    """Ids of acme's matching events, newest first; of two rows of an event the later received stays."""
    lasts: dict[str, Stored] = {}
    for row in sorted(rows, key=lambda row: row.received_ms):
        if row.tenant == "acme":
            lasts[row.id] = row
    matching = [
        row
        for row in lasts.values()
        if criteria.event_type in (None, row.event_type)
        and criteria.entity_id in (None, row.entity_id)
        and criteria.key_attributes.items() <= row.key_attributes.items()
        and (
            criteria.q is None
            or any(criteria.q.lower() in (text or "").lower() for text in (row.payload, row.fault))
        )
    ]
    matching.sort(key=lambda row: (row.received_ms, row.id), reverse=True)
    return [row.id for row in matching]


TYPES = ("FAULT", "WARNING")
words = st.sampled_from(["", "Timeout", "TIMEOUT 502", 'it\'s "x" \\ %', "żółw", "\t\n\0"])
ages_ms = st.integers(0, 3) | st.integers(0, 10 * 60_000) | st.integers(0, 80 * DAY_MS)


@st.composite
def stored_rows(draw: st.DrawFn) -> list[Stored]:
    rows = []
    for number in range(draw(st.integers(0, 25))):
        received_ms = NOW_MS - draw(ages_ms)
        row = Stored(
            id=v8(number) if draw(st.booleans()) else v7(received_ms, number),
            received_ms=received_ms,
            event_type=draw(st.sampled_from(TYPES)),
            entity_id=draw(st.sampled_from(["1", "2'"])),
            key_attributes=draw(st.dictionaries(st.sampled_from(["a", "b'"]), words, max_size=2)),
            payload=draw(st.none() | words),
            fault=draw(st.none() | words),
            tenant=draw(st.sampled_from(["acme", "acme", "acme", "other"])),
        )
        rows += [row] * draw(st.sampled_from([1, 1, 2]))  # written again by a consumer
        if row.id[14] == "8":  # posted again under its key, perhaps with another body
            ages = draw(st.sets(st.integers(1, 40 * DAY_MS), max_size=3))
            for later in sorted({min(row.received_ms + age, NOW_MS) for age in ages}):
                other = draw(st.sampled_from(TYPES))
                if later > row.received_ms:
                    rows.append(replace(row, received_ms=later, event_type=other))
    return rows


criteria = st.builds(
    Criteria,
    event_type=st.none() | st.sampled_from(TYPES),
    entity_id=st.none() | st.sampled_from(["1", "2'"]),
    key_attributes=st.dictionaries(st.sampled_from(["a", "b'"]), words.filter(bool), max_size=1),
    q=st.none() | words.filter(bool) | st.just("tImEoUt"),
)


@settings(max_examples=examples(40))
@given(stored_rows(), criteria, st.integers(1, 7), st.integers(0, 25))
def test_the_pages_together_are_every_matching_event_once_newest_first(
    database: Database, rows: list[Stored], asked: Criteria, limit: int, cut: int
) -> None:
    database.hold(*(part for part in (rows[:cut], rows[cut:]) if part))
    pages = database.walk(asked, limit)
    assert all(len(page) == limit for page in pages[:-1])
    shown = [event for page in pages for event in page]
    assert [event["id"] for event in shown] == expected(rows, asked)


@settings(max_examples=examples(100))
@given(texts)
def test_any_text_reaches_clickhouse_as_it_is(database: Database, text: str) -> None:
    sql = "SELECT base64Encode({text:String})"
    answer = database.run(lambda clickhouse: clickhouse.select(sql, {"text": text}))
    assert base64.b64decode(answer) == text.encode()


def test_a_range_begins_at_its_start_and_ends_before_its_end(database: Database) -> None:
    rows = [Stored(v7(NOW_MS + at, at), NOW_MS + at) for at in range(5)]
    database.hold(rows)
    found = database.walk(Criteria(), 50, Rest(NOW_MS + 1, Position(NOW_MS + 3)))
    assert [[event["id"] for event in page] for page in found] == [[rows[2].id, rows[1].id]]


@pytest.fixture(scope="module")
def many(database: Database) -> Database:
    """20,000 events, one a second; every fortieth a warning."""
    rows = [
        Stored(v7(NOW_MS - 1000 * age, age), NOW_MS - 1000 * age, TYPES[age % 40 == 0])
        for age in range(20_000)
    ]
    database.hold(rows)
    return database


def test_a_recent_page_reads_few_rows(many: Database) -> None:
    page = many.walk(Criteria(), 50, Rest(NOW_MS - 60_000, Position(NOW_MS + 1)), rows_max=5000)[0]
    assert [event["id"] for event in page] == [v7(NOW_MS - 1000 * age, age) for age in range(50)]


def test_what_was_read_is_told(many: Database) -> None:
    assert many.walk(Criteria(), 50, Rest(NOW_MS - 60_000, Position(NOW_MS + 1)))[0]
    [recent, *_] = many.took
    assert 50 <= recent.rows_read < 20_000
    assert recent.bytes_read > 50 * 100
    assert recent.elapsed > 0
    assert many.walk(Criteria(event_type="SYSTEM_EVENT"), 50) == [[]]
    assert many.took[0].rows_read >= 20_000


def test_a_page_says_how_far_the_next_one_may_have_to_look(many: Database) -> None:
    """Its events came of 49 seconds, of those 39 times as many."""
    many.walk(Criteria(), 50, Rest(NOW_MS - 100_000, RANGE.position))
    assert [each.window_s for each in many.rests] == [73, 75]
    many.walk(Criteria(event_type="WARNING"), 50)
    assert many.rests[0].window_s == 49 * 40 * 3 // 2


def test_a_range_with_too_many_rows_is_read_in_smaller_windows(many: Database) -> None:
    rest = Rest(NOW_MS - 20_000_000, RANGE.position)
    pages = many.walk(Criteria(event_type="WARNING"), 200, rest, rows_max=10_000)
    assert sum(map(len, pages)) == 500


def test_a_value_that_an_index_leaves_in_many_rows_is_found_all_the_same(
    many: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ClickHouse refuses the whole range, as it does for a frequent value of a large table."""
    monkeypatch.setattr(windows, "INDEXED_ROWS_MAX", 1_000)
    rest = Rest(NOW_MS - 1_999_999, RANGE.position)
    pages = many.walk(Criteria(entity_id="1"), 200, rest)
    assert [len(page) for page in pages] == [200] * 10 + [0]
    assert many.walk(Criteria(entity_id="nobody"), 50) == [[]]
    assert many.took[0].rows_read < 1_000


def test_a_search_past_its_time_is_too_slow(many: Database) -> None:
    with pytest.raises(TooSlow):
        many.walk(Criteria(q="nothing"), 50, timeout_s=0.002)


def test_rows_in_no_order_of_time_are_never_too_many(database: Database) -> None:
    """All under Idempotency-Keys: a window of any length reads the time of every one."""
    rows = [Stored(v8(number), NOW_MS - number * 1_000) for number in range(20_000)]
    rows[15_000] = replace(rows[15_000], event_type="WARNING")
    database.hold(rows)
    rest = Rest(NOW_MS - 20_000_000, Position(NOW_MS - 1_000_000))
    [[found], *_] = database.walk(Criteria(event_type="WARNING"), 1, rest, rows_max=10_000)
    assert found["id"] == rows[15_000].id
    assert database.walk(Criteria(entity_name="nobody"), 50, rest, rows_max=10_000) == [[]]
    assert database.took[0].rows_read < 10 * 20_000
    rest = Rest(NOW_MS - 1_100_000, Position(NOW_MS - 1_000_000))
    pages = database.walk(Criteria(), 50, rest, rows_max=1_000)
    shown = [event["id"] for page in pages for event in page]
    assert shown == [each.id for each in rows[1_001:1_101]]


def test_a_page_ends_when_it_is_large(database: Database) -> None:
    large = "x" * 700_000
    rows = [Stored(v7(NOW_MS - age, age), NOW_MS - age, payload=large) for age in range(20)]
    database.hold(rows)
    pages = database.walk(Criteria(), 50)
    assert [len(page) for page in pages] == [9, 9, 2]


async def test_searches_wait_for_each_other_and_no_more_than_may() -> None:
    async def check() -> None:
        running, most, release = 0, 0, asyncio.Event()

        async def select(sql: str, parameters: Any, settings: Any) -> bytes:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await release.wait()
            running -= 1
            return NO_ROWS

        pages = Pages(select, "events", Limits(1000, 5, 1), Slots(2, 3, 5))
        rest = Rest(NOW_MS - 1000, Position(NOW_MS))
        tasks = [asyncio.create_task(pages.find("acme", Criteria(), rest, 1)) for _ in range(5)]
        while running < 2:
            await asyncio.sleep(0)
        with pytest.raises(TooManySearches):
            await pages.find("acme", Criteria(), rest, 1)
        release.set()
        assert [page.events for page in await asyncio.gather(*tasks)] == [[]] * 5
        assert most == 2

    await check()


async def test_a_search_that_waits_too_long_or_that_nobody_answers_is_given_up() -> None:
    async def check() -> None:
        async def select(sql: str, parameters: Any, settings: Any) -> bytes:
            await asyncio.get_running_loop().create_future()
            return NO_ROWS

        pages = Pages(select, "events", Limits(1000, 0.05, 1), Slots(1, 1, 0.05))
        rest = Rest(NOW_MS - 1000, Position(NOW_MS))
        first = asyncio.create_task(pages.find("acme", Criteria(), rest, 1))
        await asyncio.sleep(0)
        with pytest.raises(TooManySearches):
            await pages.find("acme", Criteria(), rest, 1)
        with pytest.raises(TooSlow):
            await first

    await check()


def test_a_failure_of_clickhouse_is_not_hidden(database: Database) -> None:
    lost = Database(database.url, "t_there_is_none")
    with pytest.raises(ClickHouseFailed):
        lost.walk(Criteria(), 50)
