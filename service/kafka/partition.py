"""One partition's queue to Kafka: what waits, and the one batch that is under way.

A queue has at most one batch that Kafka has not acknowledged, and repeats it unchanged, with the same
sequence number, until it knows what became of it: the broker drops a repeat (KIP-98). Every future
that a queue hands out is done within the deadline. Past it the queue is stalled and refuses new
records until Kafka has answered for the batch.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from aiokafka import TopicPartition

from contracts.encoding.compression import Codec
from contracts.encoding.recordbatch import EncodedBatch, Record, encode_batch
from service.kafka.deadline import Deadline
from service.kafka.linger import Linger

BATCH_BYTES_MAX = 512 * 1024
SEQUENCE_MASK = 2**31 - 1  # after the last sequence number comes 0


class Unacknowledged(Exception):
    """Kafka did not confirm the record in time; whether it has it is unknown."""


class Unaccepted(Exception):
    """The record was not handed to Kafka and never will be: stalled, or too much waits already."""


class QueueLimits(NamedTuple):
    """`waiting_bytes` bounds what waits in one queue, `ack_s` how long anything waits for Kafka.

    Batches of all queues are cut together, at the latest `linger_s` after the first of them has work
    (see `linger.py`), so that one produce request carries them all: its cost is fixed, whatever it
    carries.
    """

    waiting_bytes: int
    ack_s: float
    linger_s: float = 0.002


class Batch(NamedTuple):
    """Records as Kafka takes them, and who waits: index of the last record, future of its offset."""

    data: EncodedBatch
    futures: list[tuple[int, asyncio.Future[int]]]


class PartitionQueue:
    """Appends to one partition in the order of `append` calls.

    `due` is called with the queue when it has a batch to cut; then it waits for `acknowledge`. `linger` is
    told of every append.
    """

    def __init__(
        self,
        partition: TopicPartition,
        limits: QueueLimits,
        due: Callable[["PartitionQueue"], None],
        linger: Linger,
        codec: Codec | None = None,
    ) -> None:
        self.partition = partition
        self.batch: Batch | None = None
        self.stalled = False
        self._limits = limits
        self._due = due
        self._linger = linger
        self._codec = codec
        self._loop = asyncio.get_running_loop()
        self._deadline = Deadline(limits.ack_s, self._stall)
        self._waiting: deque[Record] = deque()
        self._waiting_bytes = 0
        self._askers: deque[tuple[int, asyncio.Future[int]]] = deque()  # by number of the record
        self._appended = self._cut = 0  # records, ever
        self._begun = False  # of what the first asker has appended something was cut, but not all
        self._sequence = 0

    def __str__(self) -> str:
        return f"{self.partition.topic}-{self.partition.partition}"

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is under way."""
        return self.batch is None and not self._waiting

    @property
    def cut_bytes(self) -> int:
        """How much the next `cut` has to encode."""
        return 0 if self.batch else min(self._waiting_bytes, BATCH_BYTES_MAX)

    @property
    def waiting(self) -> int:
        """Appends of which something was not cut yet."""
        return len(self._askers)

    def append(self, records: Sequence[Record], size_bytes: int) -> asyncio.Future[int]:
        """A future of the last record's offset once all in-sync replicas have all of `records`.

        `size_bytes` is the sum of theirs. Raises `Unaccepted` at once; the future raises that or
        `Unacknowledged`, at the latest after `ack_s`.
        """
        if self.stalled:
            raise Unaccepted("Kafka does not acknowledge at the moment")
        if self._waiting_bytes + size_bytes > self._limits.waiting_bytes and self._waiting:
            raise Unaccepted(f"{self._waiting_bytes:,} bytes wait for Kafka already")
        future: asyncio.Future[int] = self._loop.create_future()
        if not self._waiting and self.batch is None:
            self._due(self)
        self._waiting += records
        self._waiting_bytes += size_bytes
        self._appended += len(records)
        self._askers.append((self._appended, future))
        self._linger.added()
        return future

    def cut(self, producer_id: int, epoch: int) -> Batch:
        """The batch to send: the one under way, else as many waiting records as fit into one."""
        if self.batch is None:
            records = self._take()
            first, self._cut = self._cut, self._cut + len(records)
            futures = []
            while self._askers and self._askers[0][0] <= self._cut:
                number, future = self._askers.popleft()
                futures.append((number - first - 1, future))
            self._begun = bool(self._askers) and (not futures or futures[-1][0] < len(records) - 1)
            data = encode_batch(records, producer_id, epoch, self._sequence, self._codec)
            self._sequence = (self._sequence + len(records)) & SEQUENCE_MASK
            self._deadline.start()
            self.batch = Batch(data, futures)
        return self.batch

    def _take(self) -> Sequence[Record]:
        """The waiting records that fit into one batch, at least one."""
        waiting = self._waiting
        if self._waiting_bytes <= BATCH_BYTES_MAX:
            self._waiting, self._waiting_bytes = deque(), 0
            return waiting
        count = size_bytes = 0
        for record in waiting:
            if count and size_bytes + record.size_bytes > BATCH_BYTES_MAX:
                break
            count += 1
            size_bytes += record.size_bytes
        self._waiting_bytes -= size_bytes
        taken = list(islice(waiting, count))
        for _ in taken:
            waiting.popleft()
        return taken

    def acknowledge(self, offset: int) -> int:
        """Kafka has the batch, its first record at `offset`. Returns how many appends that answers."""
        batch, self.batch = self.batch, None
        self.stalled = False
        self._deadline.stop()
        if batch is not None:
            for index, future in batch.futures:
                if not future.done():
                    future.set_result(offset + index)
        if self._waiting:
            self._due(self)
        return 0 if batch is None else len(batch.futures)

    def fail(self, reason: str) -> None:
        """Nobody knows or will know what became of the batch; what waits is never sent."""
        unknown = [] if self.batch is None else [future for _, future in self.batch.futures]
        unsent = [future for _, future in self._askers]
        if self._begun:
            unknown.append(unsent.pop(0))
        _fail(unknown, Unacknowledged(reason))
        _fail(unsent, Unaccepted(reason))
        self._deadline.stop()
        self._begun = False
        self._askers.clear()
        self._waiting.clear()
        self._waiting_bytes = 0
        self._appended = self._cut

    def _stall(self) -> None:
        """The deadline has passed: nobody waits any longer, and the batch is repeated until known."""
        self.stalled = True
        self.fail(f"Kafka did not acknowledge within {self._limits.ack_s:g} s")


def _fail(futures: Iterable[asyncio.Future[int]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
