"""The ports of `Database` on the server in memory. `Erasures` keeps its own rules."""

import uuid
from collections.abc import Callable, Collection, Sequence
from typing import Any

from contracts.clickhouse.table import EVENTS_TABLE
from contracts.encoding.block import Block, Name, Row
from contracts.encoding.digest import MODULUS
from contracts.erasures import Erasure
from processors.consume.step import Transient
from processors.materialize.erasures import Erasures
from processors.materialize.names import NamesFilter
from processors.materialize.repeats import Shown
from processors.materialize.rows import MATERIALIZER
from processors.upkeep.coverage import Held
from processors.upkeep.swap import FRESH_TABLE, Stage
from tests.model.native import rows_of
from tests.model.server import Insert, Server, Storage, Stored, covering, pause, stored


class ModelErasures(Erasures):
    """What a database is asked for is answered here; what is done in which order is the real thing."""

    def __init__(self, server: Server, table: str = EVENTS_TABLE) -> None:
        self._server, self._name = server, table

    async def _note(self, erasures: Sequence[Erasure], *, owed: bool) -> None:
        await pause()
        for each in erasures:
            self._server.notes[each.name, each.partition, each.offset] = each, owed
        await pause()

    async def _left(self, erasures: Sequence[Erasure]) -> int:
        await pause()
        return len([each for each in self._rows() if covering(erasures, each)])

    async def _queue(self, erasures: Sequence[Erasure]) -> bool:
        await pause()
        if self._server.room:
            self._server.delete(self._name, erasures)
            await pause()
        return self._server.room

    async def _owed(self) -> list[Erasure]:
        await pause()
        return [each for each, owed in self._server.notes.values() if owed]

    async def lingering(self, count: int) -> list[tuple[Erasure, int, int]]:
        await pause()
        noted = [each for each, _ in self._server.notes.values()]
        return [
            (erasure, each.row.partition, each.row.offset)
            for each in self._rows()
            for erasure in covering(noted, each)
        ][:count]

    async def of(self, keys: Sequence[Name]) -> list[Erasure]:
        await pause()
        return [each for each, _ in self._server.notes.values() if each.name in keys]

    def _rows(self) -> list[Stored]:
        return self._server.storages[self._name].visible()


class ModelRows:
    """See `Rows`."""

    def __init__(self, server: Server, log: int, table: str, tag: str, beside: str = "") -> None:
        self._server, self._log, self._table, self._tag = server, log, table, tag
        self._both = (table, beside)
        self._erasures = ModelErasures(server, table)

    async def insert(self, block: Block) -> None:
        rows = stored(rows_of(block, self._log))
        await _insert(self._server, self._tag, set(block.partitions), self._table, lambda _: rows)

    async def wait_for_inserts(self, partitions: Collection[int]) -> None:
        await pause()
        while any(
            each.tag == self._tag and each.partitions & set(partitions)
            for each in self._server.inserts
        ):
            await pause()

    async def high_water(self, partitions: Collection[int]) -> dict[int, int]:
        await pause()
        found = dict.fromkeys(partitions, -1)
        for each in self._ours():
            if each.row.partition in found:
                found[each.row.partition] = max(found[each.row.partition], each.row.offset)
        return found

    async def present(self, spans: dict[int, tuple[int, int]]) -> set[tuple[int, int]]:
        await pause()
        return {
            (number, offset)
            for number, offset in ((each.row.partition, each.row.offset) for each in self._ours())
            if number in spans and spans[number][0] <= offset <= spans[number][1]
        }

    async def filter(self) -> NamesFilter:
        await pause()
        names = NamesFilter()
        names.add_all(each.row.name[1] for each in self._in_both() if each.row.derived)
        names.add_all(event_id for (_, event_id), _, _ in self._server.notes)
        return names

    async def shown(self, names: Sequence[Name]) -> dict[Name, list[Shown]]:
        await pause()
        found: dict[Name, list[Shown]] = {}
        for each in self._in_both():
            if (row := each.row).name in names:
                here, ends_ms = each.log == self._log, self._server.expires_ms(row)
                its = Shown(here, row.partition, row.offset, row.received_ms, ends_ms)
                found.setdefault(row.name, []).append(its)
        return found

    async def erased(self, names: Sequence[Name]) -> list[Erasure]:
        return [each.seen_from(self._log) for each in await self._erasures.of(names)]

    async def erase(self, erasures: Sequence[Erasure]) -> None:
        await self._erasures.erase(erasures)

    def _visible(self) -> list[Stored]:
        return self._server.storages[self._table].visible()

    def _in_both(self) -> list[Stored]:
        both = [self._server.storages[each] for each in self._both if each in self._server.storages]
        return [each for storage in both for each in storage.visible()]

    def _ours(self) -> list[Stored]:
        return [each for each in self._visible() if each.log == self._log]


class ModelOffsets:
    """See `processors.upkeep.coverage.Coverage`."""

    def __init__(self, server: Server, log: int, table: str) -> None:
        self._server, self.log, self.table = server, log, table

    async def count(self, partition: int, first: int, end: int) -> int:
        await pause()
        return len({each.row.offset for each in self._range(partition, first, end)})

    async def held(self, partition: int, first: int, end: int) -> Held:
        await pause()
        rows = self._range(partition, first, end)
        return Held(len(rows), sum(each.said for each in rows) % MODULUS)

    async def hashes(self, partition: int, first: int, end: int) -> dict[int, list[int]]:
        await pause()
        found: dict[int, list[int]] = {}
        for each in self._range(partition, first, end):
            found.setdefault(each.row.offset, []).append(each.said)
        return found

    async def not_in(
        self, other: "ModelOffsets", partition: int, first: int, end: int, count: int
    ) -> list[tuple[int, Name]]:
        await pause()
        there = {each.row.offset for each in other._range(partition, first, end)}
        named = {each.row.name for each in other._visible()}
        erased = {name for (name, *_), (each, _) in self._server.notes.items() if each.final}
        return [
            (each.row.offset, each.row.name)
            for each in self._range(partition, first, end)
            if not self._server.expired(each.row)
            and each.row.offset not in there
            and each.row.name not in named | erased
        ][:count]

    async def other_logs(self) -> dict[int, int]:
        await pause()
        logs = [each.log for each in self._visible() if each.log != self.log]
        return {log: logs.count(log) for log in logs}

    async def twice(self, count: int) -> list[tuple[Name, int, int]]:
        await pause()
        places: dict[Name, set[tuple[int, int, int]]] = {}
        for each in self._visible():
            if not self._server.expired(each.row):
                places.setdefault(each.row.name, set()).add(each.position)
        return [
            (name, *max(found, key=lambda place: place[2])[1:])
            for name, found in places.items()
            if len(found) > 1
        ][:count]

    async def bounds(self) -> dict[int, tuple[int, int]]:
        await pause()
        found: dict[int, tuple[int, int]] = {}
        for each in self._visible():
            if each.log == self.log:
                offset = each.row.offset
                low, high = found.get(each.row.partition, (offset, offset))
                found[each.row.partition] = min(low, offset), max(high, offset)
        return found

    async def expiries(self, rows: Sequence[Row]) -> list[int]:
        await pause()
        return [self._server.expires_ms(row) for row in rows]

    async def copy(
        self, source: "ModelOffsets", partition: int, first: int, end: int, tag: str
    ) -> None:
        def lacking(into: Storage) -> list[Stored]:
            there = {each.row.offset for each in _within(into, self.log, partition, first, end)}
            known = {each.row.name for each in into.visible() if each.row.derived}
            rows = sorted(source._range(partition, first, end), key=lambda each: each.row.offset)
            fresh: dict[Name, Stored] = {}
            for each in rows:
                gone = self._server.expired(each.row) or each.row.offset in there
                if not gone and each.row.name not in known:
                    fresh.setdefault(each.row.name, Stored(each.log, each.row, each.said))
            return list(fresh.values())

        await _insert(self._server, tag.split()[0] + " ", {partition}, self.table, lacking)

    def of(self, log: int) -> "ModelOffsets":
        return ModelOffsets(self._server, log, self.table)

    def _visible(self) -> list[Stored]:
        return self._server.storages[self.table].visible()

    def _range(self, partition: int, first: int, end: int) -> list[Stored]:
        return _within(self._server.storages[self.table], self.log, partition, first, end)


class ModelTables:
    """See `processors.upkeep.swap.Tables`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def stage(self) -> Stage:
        await pause()
        if self._server.storages[EVENTS_TABLE].marked:
            return "swapped"
        return "filling" if FRESH_TABLE in self._server.storages else "none"

    async def create(self) -> None:
        await pause()
        self._server.storages[FRESH_TABLE] = Storage(marked=True)
        await pause()

    async def compare(self) -> None:
        await pause()

    async def hold_expiry(self) -> None:
        await pause()
        self._server.storages[FRESH_TABLE].keeps = True

    async def let_expire(self) -> None:
        await pause()
        self._server.storages[EVENTS_TABLE].keeps = False

    async def exchange(self) -> None:
        await pause()
        self._server.exchange()
        await pause()

    async def has_old(self) -> bool:
        await pause()
        return FRESH_TABLE in self._server.storages

    async def finish(self, *, keep_old: bool) -> str:
        await pause()
        self._server.storages.pop(FRESH_TABLE, None)
        await pause()
        self._server.storages[EVENTS_TABLE].marked = False
        return ""

    async def inserting(self) -> set[str]:
        await pause()
        return {str(id(each)) for each in self._server.inserts if each.tag == MATERIALIZER}


class ModelLogs:
    """See `processors.upkeep.logs.Logs`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def known(self) -> dict[uuid.UUID, int]:
        await pause()
        known: Any = self._server.logs
        return dict(known)

    async def accept(self, topic_id: uuid.UUID, number: int) -> None:
        await pause()
        self._server.logs[topic_id] = number
        await pause()


class ModelDatabase:
    """See `processors.upkeep.database.Database`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def rows(self, log: int, table: str = EVENTS_TABLE, tag: str = MATERIALIZER) -> ModelRows:
        return ModelRows(self._server, log, table, tag)

    def rows_in_use(self, log: int) -> ModelRows:
        return ModelRows(self._server, log, EVENTS_TABLE, MATERIALIZER, FRESH_TABLE)

    def coverage(self, log: int, table: str = EVENTS_TABLE) -> ModelOffsets:
        return ModelOffsets(self._server, log, table)

    def erasures(self, table: str = EVENTS_TABLE) -> ModelErasures:
        return ModelErasures(self._server, table)

    def logs(self) -> ModelLogs:
        return ModelLogs(self._server)

    def tables(self) -> ModelTables:
        return ModelTables(self._server)


async def _insert(
    server: Server,
    tag: str,
    partitions: set[int],
    table: str,
    rows: Callable[[Storage], list[Stored]],
) -> None:
    """It goes on when its sender is gone."""
    await pause()
    insert = Insert(tag, partitions, table, rows)
    server.inserts.append(insert)
    while not insert.over:
        await pause()
        if not insert.over:
            server.advance(insert)
    if insert.failed:
        raise Transient("the insert failed")
    await pause()


def _within(storage: Storage, log: int, partition: int, first: int, end: int) -> list[Stored]:
    return [
        each
        for each in storage.visible()
        if each.position[:2] == (log, partition) and first <= each.row.offset < end
    ]
