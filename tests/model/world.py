"""All that there is: edges that post and erase, Kafka, ClickHouse, processes, a person with the commands."""

import uuid
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from contracts.clickhouse.table import EVENTS_TABLE
from contracts.encoding.block import Name
from contracts.encoding.digest import row_hash
from contracts.erasures import WINDOW_MS as WINDOW_MS
from contracts.ids import derived_id
from processors.consume.step import Transient
from processors.materialize.reading import read_rows
from processors.upkeep.acceptance import accept, number_of
from processors.upkeep.account import Account
from processors.upkeep.audit import Audit
from processors.upkeep.rebuild import Outcome, Rebuild
from tests.builders import an_event, represented
from tests.fakes import FakeRecord
from tests.model.actors import Job, Materializer
from tests.model.kafka import Kafka, KafkaLog
from tests.model.model import Erased, Posted, may_show
from tests.model.ports import ModelDatabase
from tests.model.server import Server, Stored

START_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
KEPT_MS = 48 * HOUR_MS
PROCESSES = 3
STEPS_MAX = 20_000


@dataclass
class Known(FakeRecord):
    """A record, and which event it is of; `final` is that of a tombstone."""

    name: Name = ("", "")
    final: bool | None = None
    said: int = 0


@lru_cache
def value_of(event_id: str, entity: str, body: int) -> bytes:
    return represented(an_event(entity_id=entity, entity_name=f"body {body}"), event_id)


class World:
    """`log` is the number of the log that Kafka has, None until it was accepted."""

    def __init__(self) -> None:
        self.kafka = Kafka()
        self.server = Server(START_MS, KEPT_MS)
        self.database: Any = ModelDatabase(self.server)
        self.processes = [self._process() for _ in range(PROCESSES)]
        self.paused: list[Materializer] = []
        self.jobs: list[Job] = []
        self.rebuilding: Job | None = None
        self.names: list[tuple[Name, str]] = []
        self.kept: list[Stored] = []  # of logs that are no more: what the table had then
        self.gone: dict[tuple[int, int, int], tuple[Name, int]] = {}  # and what their records said
        self.log: int | None = 0
        self.late = False
        self.restored = False
        self.rebalance(0, "dropped")

    def _process(self) -> Materializer:
        return Materializer(self.kafka, ModelDatabase(self.server))

    # the edges

    def post(self, entity: str, key: str, body: int, skew_ms: int) -> None:
        made = str(uuid.UUID(int=len(self.names) + 1 | 7 << 76 | 2 << 62))
        event_id = derived_id("acme", key.encode(), 0, entity) if key else made
        name = ("acme", event_id)
        record = Known(
            value_of(event_id, entity, body),
            timestamp=self.server.now_ms + skew_ms,
            key=entity.encode(),
            name=name,
        )
        self.kafka.append(record)
        record.said = row_hash(read_rows([record])[0][0])
        if (name, entity) not in self.names:
            self.names.append((name, entity))

    def erase(self, at: int, skew_ms: int, *, final: bool) -> None:
        name, entity = self.names[at]
        own = str(uuid.UUID(int=7 << 76 | 2 << 62)).encode()
        ids = [("ce_id", own), ("ce_erasedid", name[1].encode())]
        headers = [("ce_tenant", b"acme"), *(ids if final else [("ce_id", name[1].encode())])]
        at_ms = self.server.now_ms + skew_ms
        self.kafka.append(
            Known(
                None, headers=headers, timestamp=at_ms, key=entity.encode(), name=name, final=final
            )
        )

    # the group

    def rebalance(self, shares: int, fate: Literal["finished", "dropped", "paused"]) -> None:
        """Divide the partitions anew: `shares` has a digit for each, base `PROCESSES`."""
        for at, process in enumerate(self.processes):
            if process.dead:
                self.processes[at] = self._process()
            elif process.batch is not None:
                if fate == "paused":
                    self.paused.append(process)
                    self.processes[at] = self._process()
                    continue
                for _ in range(60 if fate == "finished" else 0):
                    process.go_on()
                process.drop()
                if process.dead:
                    self.processes[at] = self._process()
        self.kafka.generation += 1
        of: list[set[int]] = [set() for _ in self.processes]
        for number in range(len(self.kafka.partitions)):
            of[shares // PROCESSES**number % PROCESSES].add(number)
        for process, partitions in zip(self.processes, of, strict=True):
            process.assigned(partitions)

    def kill(self, at: int) -> None:
        self.processes[at].drop()
        self.processes[at] = self._process()

    # a person

    def start(self, work: Coroutine[Any, Any, Any]) -> Job:
        self.jobs.append(job := Job(work))
        return job

    async def rebuild(self) -> Outcome:
        log: Any = KafkaLog(self.kafka)
        number = await number_of(await log.topic_id(), log, self.database)
        return await Rebuild(log, number, self.database)(keep_old=False, progress=_silent)

    async def audit(self, *, to_end: bool) -> Account:
        log: Any = KafkaLog(self.kafka)
        number = await number_of(await log.topic_id(), log, self.database)
        return await Audit(log, number, self.database)(to_end=to_end, progress=_silent)

    def anew(self, keep: list[int]) -> None:
        """The topic is deleted and made again."""
        if self.log is not None:
            number = self.log
            self.gone |= {
                (number, each.partition, each.offset): (each.name, each.said)
                for partition in self.kafka.partitions
                for each in partition
                if isinstance(each, Known)
            }
            self.kept += [
                each for each in self.server.storages[EVENTS_TABLE].visible() if each.log == number
            ]
        self.kafka.anew(keep)
        self.restored = any(keep)
        self.log = None

    def accept(self, kind: Literal["new", "copy"]) -> bool:
        """Whether it was accepted. All else was stopped before, as the documents say."""
        for at in range(PROCESSES):
            self.kill(at)
        for process in self.paused:
            process.drop()
        for running in self.jobs:
            running.kill()
        self.paused.clear()
        self.jobs.clear()
        self.rebalance(0, "dropped")
        log: Any = KafkaLog(self.kafka)
        job = self.start(accept(kind, log, self.database, _silent))
        self.finish(job)
        if job.error is not None:
            return False
        self.log = job.result
        self.kept = [each for each in self.kept if each.log != self.log]
        return True

    # time

    def finish(self, job: Job) -> None:
        """Everything else stands still, but for ClickHouse."""
        for _ in range(STEPS_MAX):
            if job.over:
                break
            job.go_on()
            self._serve()
        assert job.over
        self.jobs.remove(job)

    def _serve(self) -> None:
        for insert in list(self.server.inserts):
            self.server.advance(insert)
        self.server.mutate()

    def calm(self) -> None:
        """Let everybody end what is begun, and the processes catch up."""
        self.server.room = True
        self.rebalance(0, "dropped")
        for process in self.paused:
            self.late = True
            for _ in range(STEPS_MAX):
                if process.batch is None:
                    break
                process.go_on()
                self._serve()
        self.paused.clear()
        for _ in range(STEPS_MAX):
            self._serve()
            if any(process.dead for process in self.processes):
                self.rebalance(0, "dropped")
            for process in self.processes:
                if process.batch is None and not process.dead:
                    process.fetch(5)
                process.go_on()
            for job in list(self.jobs):
                job.go_on()
                if job.over:
                    self.jobs.remove(job)
            if not self.jobs and not self.server.inserts and self._caught_up():
                break
        else:
            raise AssertionError("they do not come to an end")
        if (
            self.late
        ):  # the audit would name what the first release erased and a late insert brought
            self.finish(self.start(self.database.erasures().sweep()))
        self.finish(self.start(self.database.erasures().pay()))
        self.server.mutate()

    def _caught_up(self) -> bool:
        ends = {number: len(each) for number, each in enumerate(self.kafka.partitions) if each}
        return ends == self.kafka.committed and not any(each.batch for each in self.processes)

    # what the log says

    def expected(self) -> dict[Name, set[Posted | None]]:
        """For each name what may be shown."""
        assert self.log is not None
        records: dict[Name, list[Posted]] = {name: [] for name, _ in self.names}
        tombstones: dict[Name, list[Erased]] = {name: [] for name, _ in self.names}
        visible = self.server.storages[EVENTS_TABLE].visible()
        old = {each.position: each for each in [*self.kept, *visible] if each.log != self.log}
        for _, each in sorted(old.items()):
            records[each.row.name].append(posted(each))
        for erasure, _ in self.server.notes.values():
            tombstones[erasure.name].append(Erased(*erasure[2:]))
        for partition in self.kafka.partitions:
            for record in partition:
                assert isinstance(record, Known)
                place = record.partition, record.offset, record.timestamp
                if record.final is None:
                    records[record.name].append(Posted(self.log, *place))
                else:
                    tombstones[record.name].append(Erased(*place, record.final))
        now_ms = self.server.now_ms
        return {
            name: may_show(records[name], tombstones[name], now_ms, KEPT_MS)
            for name, _ in self.names
        }


def posted(each: Stored) -> Posted:
    """The record that a row was made from."""
    return Posted(*each.position, each.row.received_ms)


def _silent(doing: str, done: int, total: int) -> None:
    pass


TRANSIENT = Transient("the server failed, or its answer was lost")
