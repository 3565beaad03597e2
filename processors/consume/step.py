"""What a processor's step is, and what it may say of its work.

- it returns the records that it rejects: they go to `events.rejected`, the others are done;
- it raises `Transient` for what a server behind us could not do: nothing is committed, tried again;
- it raises `Halt` for what a person has to decide: the process ends with what there is to do;
- it raises anything else: a bug; the records are given back and the process ends non-zero.
Steps run at least once per record, and each says in its docstring how it absorbs the repeat.
"""

import uuid
from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol


class LogRecord(Protocol):
    """A Kafka record as a step sees it: aiokafka's ConsumerRecord. `timestamp` in ms since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Reject(NamedTuple):
    """A record that no step can handle, and why; `log` is the topic's id where that is known."""

    record: LogRecord
    reason: str
    log: uuid.UUID | None = None


class Transient(Exception):
    """A server behind us failed in a way that may pass."""


class Halt(Exception):
    """Nothing more may be done until a person decides; the message says what there is to decide."""


class Step(Protocol):
    """One processor's work on a batch."""

    async def __call__(self, records: Sequence[LogRecord]) -> list[Reject]:
        """Do the work for `records`, in order within each partition."""

    def assigned(self, partitions: Collection[int]) -> None:
        """These partitions of `events` are ours from now on; another process had them before."""

    async def revoked(self) -> None:
        """They go, with no batch in hand: what the step does beside its batches comes to its end."""
