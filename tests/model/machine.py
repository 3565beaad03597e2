"""Orders of what may happen, chosen by hypothesis, and what must hold whenever everybody has caught up."""

from collections import Counter
from types import SimpleNamespace
from typing import Any, Literal
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.clickhouse.table import EVENTS_TABLE
from contracts.encoding.block import Name
from processors.consume.step import Halt, Transient
from processors.upkeep.account import Account
from processors.upkeep.audit import Unprovable
from processors.upkeep.swap import Refused
from tests.model.actors import Job
from tests.model.server import Stored, pause
from tests.model.world import HOUR_MS, PROCESSES, TRANSIENT, World, posted

AT = st.integers(0, 59)
"""Chooses one of what there is."""
SKEW_MS = st.sampled_from([0, 0, -HOUR_MS, HOUR_MS, 60_000])


HOURS = (0, 17, 60)
"""A minute for 0. No sum of them comes near the 48 that events are kept: clocks would be of two opinions."""
SHARES = st.integers(0, PROCESSES**3 - 1)
"""Which process has which partition."""
STEPS_BETWEEN = 15
"""So many there are at least before all have to catch up."""
UNDER_WAY = {"lingering", "twice"}
"""What an audit may name of what others are about to do: rows that are to be taken away."""
NOT_NOW = (Halt, Transient, Unprovable, Refused)
"""What a command may end with when it could not do its work yet."""


class Events(RuleBasedStateMachine):
    """The world, and the invariants."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.since = 0  # steps since everybody had caught up
        self.audits: list[Job] = []  # begun while no rebuild went on, under the topic that there is
        slept_s = 0.0

        async def sleep(seconds: float) -> None:
            nonlocal slept_s
            slept_s += seconds
            await pause()

        waiting: Any = SimpleNamespace(monotonic=lambda: slept_s)
        clock: Any = SimpleNamespace(time=lambda: self.world.server.now_ms / 1000)

        self._patches: list[Any] = [
            patch("asyncio.sleep", sleep),
            patch("processors.upkeep.absent.time", clock),
            patch("processors.materialize.erasures.time", waiting),
            patch("processors.upkeep.rebuild.time", waiting),
        ]
        for each in self._patches:
            each.start()

    def teardown(self) -> None:
        try:
            self.caught_up()
        finally:
            for job in self.world.jobs:
                job.kill()
            for each in self._patches:
                each.stop()

    # edges

    @rule(
        entity=st.sampled_from("ab"),
        key=st.sampled_from(["", "k", "k"]),
        body=st.integers(0, 1),
        skew_ms=SKEW_MS,
    )
    def post(self, entity: str, key: str, body: int, skew_ms: int) -> None:
        self.world.post(entity, key, body, skew_ms)

    @precondition(lambda self: self.world.names)
    @rule(at=AT, skew_ms=SKEW_MS)
    def erase(self, at: int, skew_ms: int) -> None:
        self.world.erase(at % len(self.world.names), skew_ms, final=True)

    @precondition(lambda self: self.world.names and self._first_log())
    @rule(at=AT, skew_ms=SKEW_MS)
    def erase_by_the_first_release(self, at: int, skew_ms: int) -> None:
        self.world.erase(at % len(self.world.names), skew_ms, final=False)

    def _first_log(self) -> bool:
        return self.world.log == 0 and len(self.world.kafka.partitions) == 1

    # processes

    @rule(at=AT, batch=st.integers(1, 4), steps=st.integers(1, 40))
    def work(self, at: int, batch: int, steps: int) -> None:
        process = self.world.processes[at % PROCESSES]
        for _ in range(steps):
            if process.batch is None and not process.dead:
                process.fetch(batch)
            if process.batch is None:
                return
            process.go_on()

    @rule(at=AT)
    def answer_lost(self, at: int) -> None:
        self.world.processes[at % PROCESSES].go_on(TRANSIENT)

    @rule(at=AT, shares=SHARES)
    def killed(self, at: int, shares: int) -> None:
        self.world.kill(at % PROCESSES)
        self.world.rebalance(shares, "finished")

    @rule(
        shares=SHARES,
        fate=st.sampled_from(["finished", "dropped", "paused"]),
    )
    def rebalanced(self, shares: int, fate: Literal["finished", "dropped", "paused"]) -> None:
        self.world.rebalance(shares, fate)

    @precondition(lambda self: self.world.paused)
    @rule(at=AT, steps=st.integers(1, 40))
    def a_paused_one_goes_on(self, at: int, steps: int) -> None:
        process = self.world.paused[at % len(self.world.paused)]
        self.world.late = True
        for _ in range(steps):
            process.go_on()
        if process.batch is None:
            self.world.paused.remove(process)

    # ClickHouse

    @precondition(lambda self: self.world.server.inserts)
    @rule(at=AT, fails=st.booleans())
    def an_insert_goes_on(self, at: int, fails: bool) -> None:
        server = self.world.server
        insert = server.inserts[at % len(server.inserts)]
        if not fails:
            server.advance(insert)
        elif insert.storage is None:
            server.drop(insert, failed=True)

    @rule()
    def rows_are_hidden(self) -> None:
        self.world.server.mutate()

    @rule(room=st.booleans())
    def room_for_mutations(self, room: bool) -> None:
        self.world.server.room = room

    @rule(ttl=st.booleans())
    def merged(self, ttl: bool) -> None:
        for storage in self.world.server.storages.values():
            self.world.server.merge(storage, ttl=ttl)

    @rule(hours=st.sampled_from(HOURS))
    def time_goes_by(self, hours: int) -> None:
        self.world.server.now_ms += hours * HOUR_MS or HOUR_MS // 60

    # commands

    @rule()
    def pay(self) -> None:
        self.world.start(self.world.database.erasures().pay())

    @precondition(lambda self: self.world.log is not None)
    @rule()
    def rebuild(self) -> None:
        world = self.world
        if world.rebuilding is None or world.rebuilding.over:
            world.rebuilding = world.start(world.rebuild())
            self.audits.clear()

    @precondition(lambda self: self.world.log is not None)
    @rule()
    def audit_begins(self) -> None:
        job = self.world.start(self.world.audit(to_end=False))
        if self.world.rebuilding is None or self.world.rebuilding.over:
            self.audits.append(job)

    @precondition(lambda self: self.world.jobs)
    @rule(at=AT, steps=st.integers(1, 60))
    def a_command_goes_on(self, at: int, steps: int) -> None:
        job = self.world.jobs[at % len(self.world.jobs)]
        for _ in range(steps):
            if not job.over:
                job.go_on()
        self._end(job.over, job)

    @precondition(lambda self: self.world.jobs)
    @rule(at=AT)
    def a_command_is_killed(self, at: int) -> None:
        job = self.world.jobs[at % len(self.world.jobs)]
        job.kill()
        self._end(True, job)

    def _end(self, over: bool, job: Any) -> None:
        if over:
            self.world.jobs.remove(job)
            if job.error is not None and not isinstance(job.error, NOT_NOW):
                raise job.error
            if job in self.audits and job.result and not self.world.late:
                wrong = {kind for kind, some in job.result.wrong.items() if some}
                assert wrong <= UNDER_WAY, job.result.wrong

    # the topic

    @precondition(lambda self: self.world.log is not None and len(self.world.kafka.partitions) < 3)
    @rule()
    def partitions_are_added(self) -> None:
        """All is in the table: else a tombstone in another partition may overtake its event."""
        self.caught_up()
        self.world.kafka.partitions.append([])

    @precondition(lambda self: self.world.server.logs)  # the first that is read is accepted unasked
    @rule(restored=st.booleans(), lost=st.integers(0, 2))
    def the_topic_is_made_anew(self, restored: bool, lost: int) -> None:
        lengths = [len(each) for each in self.world.kafka.partitions]
        self.audits.clear()
        self.world.anew([max(0, length - lost) if restored else 0 for length in lengths])

    @precondition(lambda self: self.world.log is None)
    @rule(kind=st.sampled_from(["new", "copy"]))
    def accept(self, kind: Literal["new", "copy"]) -> None:
        if kind == "copy" or not self.world.restored:
            self.world.accept(kind)

    # what must hold

    @invariant()
    def what_was_erased_is_not_shown(self) -> None:
        """From the moment that the tombstone is committed, GET does not answer."""
        self.since += 1
        world = self.world
        for number, end in world.kafka.committed.items():
            for record in world.kafka.partitions[number][:end]:
                each: Any = record
                assert not (each.final and world.server.get(each.name)), each.name

    @precondition(lambda self: self.since > STEPS_BETWEEN)
    @rule()
    def all_have_caught_up(self) -> None:
        self.caught_up()

    def caught_up(self) -> None:
        """The table shows what the model says, and the audit says so."""
        world = self.world
        if world.log is None:
            return
        self.since = 0
        world.calm()
        if world.server.storages[EVENTS_TABLE].marked:  # a rebuild that was killed after its swap
            world.rebuilding = world.start(world.rebuild())
            world.calm()
        if world.late:
            world.server.merge(world.server.storages[EVENTS_TABLE], ttl=False)
            world.late = False
        self._shown_as_the_log_says()
        self._proven(self._audit())

    @precondition(lambda self: self.since > STEPS_BETWEEN and self.world.log is not None)
    @rule()
    def rebuilt(self) -> None:
        """A rebuild changes nothing of what is shown."""
        self.caught_up()
        world = self.world
        before = self._shown()
        job = world.rebuilding = world.start(world.rebuild())
        world.finish(job)
        if job.error is not None:
            raise job.error
        assert (job.result.swapped, job.result.kept) == (True, ""), job.result
        self._shown_as_the_log_says()
        after, either = self._shown(), self._in_several_places()
        for name, each in before.items():
            if name not in either and not world.server.expired(each.row):
                assert after[name].position == each.position

    @precondition(lambda self: self.since > STEPS_BETWEEN and self.world.log is not None)
    @rule(at=AT, damage=st.sampled_from(["altered", "lost", "doubled"]))
    def damaged(self, at: int, damage: str) -> None:
        """The audit finds what is done to a row."""
        self.caught_up()
        world = self.world
        storage = world.server.storages[EVENTS_TABLE]
        several = self._in_several_places()
        rows = [
            each
            for each in storage.visible()
            if each.log == world.log
            and not world.server.expired(each.row)
            and each.row.name not in several
        ]
        if not rows:
            return
        hit = rows[at % len(rows)]
        whole = list(storage.rows)
        if damage == "altered":
            hit.said ^= 1
        elif damage == "lost":
            storage.rows.remove(hit)
        else:
            storage.rows.append(Stored(hit.log, hit.row, hit.said))
        account = self._audit()
        storage.rows = whole
        if damage == "altered":
            hit.said ^= 1
        kind = "missing" if damage == "lost" else damage
        found = [(each.partition, each.offset) for each in account.wrong[kind]]
        assert not account.proven
        assert hit.position[1:] in found

    def _audit(self) -> Account:
        job = self.world.start(self.world.audit(to_end=True))
        self.world.finish(job)
        if job.error is not None:
            raise job.error
        account: Account = job.result
        return account

    def _proven(self, account: Account) -> None:
        world, wrong = self.world, {kind: some for kind, some in account.wrong.items() if some}
        if wrong.pop("twice", None):
            assert self._in_several_places()
        expected = world.expected()
        for partition, offset, _ in wrong.pop("missing", []):  # may repeat what is no more
            record: Any = world.kafka.partitions[partition][offset]
            assert None in expected[record.name], account.wrong
            assert self._is_elsewhere(record), account.wrong
        assert not wrong, account.wrong

    def _is_elsewhere(self, record: Any) -> bool:
        """Whether its event was in another log or partition before."""
        return any(
            each.row.name == record.name and each.position[:2] != (self.world.log, record.partition)
            for each in self.world.kept
        )

    def _shown(self) -> dict[Name, Stored]:
        found = {name: self.world.server.get(name) for name, _ in self.world.names}
        return {name: each for name, each in found.items() if each is not None}

    def _in_several_places(self) -> set[Name]:
        """Events that were posted again after their key had moved, which have more than one first."""
        return {
            name
            for name, allowed in self.world.expected().items()
            if len({each[:2] for each in allowed if each}) > 1
        }

    def _shown_as_the_log_says(self) -> None:
        world, several = self.world, self._in_several_places()
        shown = self._shown()
        for name, allowed in world.expected().items():
            each = shown.get(name)
            assert (posted(each) if each else None) in allowed, (
                name,
                each and each.position,
                allowed,
            )
        rows = [
            each
            for each in world.server.storages[EVENTS_TABLE].visible()
            if each.row.name not in several and not world.server.expired(each.row)
        ]
        records: Any = [record for partition in world.kafka.partitions for record in partition]
        said = world.gone | {
            (world.log, each.partition, each.offset): (each.name, each.said) for each in records
        }
        for each in rows:
            assert said[each.position] == (each.row.name, each.said)
        twice = [
            name for name, count in Counter(each.row.name for each in rows).items() if count > 1
        ]
        assert not twice
        assert len(rows) == len(
            [n for n, e in shown.items() if n not in several and not world.server.expired(e.row)]
        )
