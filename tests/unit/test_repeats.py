"""A batch that is sorted leaves in the table what one record after the other would have left."""

from collections.abc import Iterable
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from contracts.encoding.block import Block, Name, Row, row
from contracts.encoding.wire import decode_event
from contracts.erasures import Erasure
from contracts.ids import derived_id
from processors.materialize.names import NamesFilter
from processors.materialize.repeats import Shown, Sorted
from tests.builders import an_event, represented

NOW_MS = 1_790_000_000_000
HOUR_MS = 60 * 60 * 1000
DERIVED = [derived_id("acme", b"%d" % number, 0, "e") for number in range(4)]
EVENTS = {event_id: represented(an_event(), event_id) for event_id in DERIVED}


class Table(NamedTuple):
    """Which events it shows and until when, which positions were written, what was erased."""

    expires_ms: dict[Name, int]
    erased: frozenset[Name]
    retention_ms: int
    positions: list[int]

    def write(self, name: Name, received_ms: int, offset: int) -> None:
        ends = received_ms + self.retention_ms
        self.expires_ms[name] = max(ends, self.expires_ms.get(name, 0))
        self.positions.append(offset)

    def insert(self, blocks: dict[int, Block]) -> None:
        for block in blocks.values():
            names = zip(block.tenants, block.ids, strict=True)
            for name, received_ms, offset in zip(
                names, block.received_ms, block.offsets, strict=True
            ):
                self.write(name, received_ms, offset)

    def copy(self) -> "Table":
        return self._replace(expires_ms=dict(self.expires_ms), positions=[])


def one_by_one(table: Table, rows: Iterable[Row]) -> None:
    """The rule itself."""
    for each in rows:
        repeated = each.derived and each.received_ms < table.expires_ms.get(each.name, 0)
        if each.name not in table.erased and not repeated:
            table.write(each.name, each.received_ms, each.offset)


def sorted_first(
    table: Table, rows: list[Row], at_once: int, maybes: Iterable[str], may_hold: int
) -> None:
    """As the materializer does."""
    names = NamesFilter()
    names.add_all(maybes)
    names.add_all(event_id for _, event_id in [*table.expires_ms, *table.erased])
    batch = Sorted(names, {0: may_hold}, [])
    for start in range(0, len(rows), at_once):
        batch.add(rows[start : start + at_once])
    table.insert(batch.blocks)
    while batch.doubtful:
        asked = batch.names()
        erased = [Erasure(*name, 0, 0, NOW_MS, True) for name in asked if name in table.erased]
        shown = {
            name: [Shown(True, 0, 0, NOW_MS, table.expires_ms[name])]
            for name in asked
            if name in table.expires_ms
        }
        batch.decide(shown, erased)
        table.insert(batch.blocks)


names_ = st.sampled_from(DERIVED)
hours = st.integers(0, 100).map(lambda hours: NOW_MS + hours * HOUR_MS)


@given(
    records=st.lists(st.tuples(names_, hours), max_size=12),
    shown=st.dictionaries(names_, hours, max_size=2),
    erased=st.frozensets(names_, max_size=1),
    maybes=st.lists(names_, max_size=1),
    days=st.integers(1, 3),
    at_once=st.integers(1, 4),
    may_hold=st.integers(-1, 12),
)
def test_it_is_as_one_after_the_other(
    records: list[tuple[str, int]],
    shown: dict[str, int],
    erased: frozenset[str],
    maybes: list[str],
    days: int,
    at_once: int,
    may_hold: int,
) -> None:
    rows = [
        row("acme", 0, offset, received_ms, decode_event(EVENTS[event_id]))
        for offset, (event_id, received_ms) in enumerate(records)
    ]
    table = Table(
        {("acme", event_id): ends for event_id, ends in shown.items() if event_id not in erased},
        frozenset(("acme", event_id) for event_id in erased),
        days * 24 * HOUR_MS,
        [],
    )
    wanted, found = table.copy(), table.copy()
    one_by_one(wanted, rows)
    sorted_first(found, rows, at_once, maybes, may_hold)
    assert sorted(found.positions) == wanted.positions
    assert found.expires_ms == wanted.expires_ms
