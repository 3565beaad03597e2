"""What runs: coroutines that are taken one pause further at a time, as a schedule wants it."""

import uuid
from collections.abc import Coroutine
from typing import Any

from processors.consume.one_log import OfOneLog
from processors.consume.step import Halt, Step, Transient
from processors.materialize.step import Materialize
from processors.upkeep.acceptance import copied, number_of
from tests.fakes import FakeRecord
from tests.model.kafka import Kafka, KafkaLog
from tests.model.ports import ModelDatabase
from tests.model.server import pause


class Job:
    """A coroutine that runs; `result` or `error` when it is `over`."""

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work
        self.over = False
        self.result: Any = None
        self.error: Exception | None = None

    def go_on(self, failure: Exception | None = None) -> None:
        """To its next pause, there told of a `failure` if there is one."""
        try:
            if failure is None:
                self._work.send(None)
            else:
                self._work.throw(failure)
        except StopIteration as ended:
            self.over, self.result = True, ended.value
        except Exception as error:
            self.over, self.error = True, error

    def kill(self) -> None:
        self._work.close()
        self.over = True


class Materializer:
    """A process of the group: the real step, in the loop of `processors.consume.consume`."""

    def __init__(self, kafka: Kafka, database: ModelDatabase) -> None:
        self._kafka, self._database = kafka, database
        self._step = OfOneLog(kafka.ask, self._of_log)
        self._at: dict[int, int] = {}
        self._generation = -1
        self.batch: Job | None = None
        self.dead = False

    async def _of_log(self, topic_id: uuid.UUID) -> Step:
        log: Any = KafkaLog(self._kafka)
        database: Any = self._database
        number = await number_of(topic_id, log, database)
        return Materialize(database.rows_in_use(number), await copied(topic_id, log, database))

    def assigned(self, partitions: set[int]) -> None:
        """The group was divided anew."""
        self._generation = self._kafka.generation
        self._at = {number: self._kafka.committed.get(number, 0) for number in partitions}
        self._step.assigned(partitions)

    def fetch(self, count: int) -> None:
        """Take up to so many records in hand."""
        records: list[FakeRecord] = []
        for number, at in self._at.items():
            held = self._kafka.partitions[number]
            if at > len(held):  # `processors.consume.loss`
                self.dead = True
                return
            records += held[at : at + count - len(records)]
        if records:
            for each in records:
                self._at[each.partition] = each.offset + 1
            self.batch = Job(self._bring(records))

    async def _bring(self, records: list[FakeRecord]) -> None:
        topic_id = self._kafka.topic_id
        while True:
            try:
                await pause()
                await self._step(records)
                await pause()
            except Transient:
                continue
            break
        if self._generation == self._kafka.generation and topic_id == self._kafka.topic_id:
            self._kafka.committed |= {each.partition: each.offset + 1 for each in records}

    def go_on(self, failure: Exception | None = None) -> None:
        """With the batch in hand, if any."""
        if self.batch is not None:
            self.batch.go_on(failure)
            if self.batch.over:
                if isinstance(self.batch.error, Halt):
                    self.dead = True
                elif self.batch.error is not None:
                    raise self.batch.error
                self.batch = None

    def drop(self) -> None:
        """The batch in hand is cancelled, and read again by whoever gets its partitions."""
        if self.batch is not None:
            self.batch.kill()
            self.batch = None
