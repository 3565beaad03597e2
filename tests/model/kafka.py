"""Kafka in memory: one topic that may grow, be made anew or be restored, and what a group has committed."""

import uuid
import zlib
from collections.abc import AsyncIterator

from contracts.topics import EVENTS
from tests.fakes import FakeRecord
from tests.model.server import pause


class Kafka:
    """`partitions` are lists of records; `generation` counts the assignments of the group."""

    def __init__(self) -> None:
        self.topic_id = uuid.UUID(int=1)
        self.partitions: list[list[FakeRecord]] = [[]]
        self.committed: dict[int, int] = {}
        self.generation = 0

    def append(self, record: FakeRecord) -> FakeRecord:
        """Give the record its place."""
        assert record.key is not None
        record.partition = zlib.crc32(record.key) % len(self.partitions)
        record.offset = len(self.partitions[record.partition])
        self.partitions[record.partition].append(record)
        return record

    def anew(self, keep: list[int]) -> None:
        """Delete the topic and make it again, with the first so many records of each partition."""
        self.topic_id = uuid.UUID(int=self.topic_id.int + 1)
        self.partitions = [
            records[:count] for records, count in zip(self.partitions, keep, strict=True)
        ]
        self.committed = {}

    async def ask(self) -> uuid.UUID:
        """The topic's id, as the materializer asks for it."""
        await pause()
        return self.topic_id


class KafkaLog:
    """See `processors.consume.replay.Log`."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    async def topic_id(self) -> uuid.UUID:
        return await self._kafka.ask()

    async def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        await pause()
        if topic != EVENTS:
            return {}
        return {number: (0, len(each)) for number, each in enumerate(self._kafka.partitions)}

    async def committed(self) -> dict[int, int]:
        await pause()
        return dict(self._kafka.committed)

    async def read(
        self, topic: str, partition: int, first: int, end: int, records_max: int
    ) -> AsyncIterator[list[FakeRecord]]:
        assert topic == EVENTS
        while first < end:
            await pause()
            found = self._kafka.partitions[partition][first : min(end, first + min(3, records_max))]
            if not found:
                return
            yield found
            first = found[-1].offset + 1
