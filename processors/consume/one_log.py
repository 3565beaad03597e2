"""A step that handles records of one log only: the topic's id is asked for behind every fetch.

Topic ids never come back: as the topic has its old id after a batch was fetched, the batch is of that
log. An id that was not accepted ends the process before anything of it is stored.
"""

import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence

from aiokafka.errors import KafkaError

from contracts.topics import EVENTS
from processors.consume.step import Halt, LogRecord, Reject, Step, Transient

NOT_ACCEPTED = """\
The topic {topic} has the id {topic_id}, and the table's rows are of {known}: it was deleted and made \
anew, or this is another cluster. Nothing of it is stored until somebody says what it is:
  python -m processors accept-log new    it begins anew: its events are stored beside those of the old log
  python -m processors accept-log copy   it was restored from a copy: the same events at the same offsets
Where the events command is installed, `events accept-log` does the same."""


class NotAccepted(Halt):
    """The topic's id is none whose records may be stored; the message says what to do."""

    def __init__(self, topic_id: uuid.UUID, known: Collection[uuid.UUID]) -> None:
        ids = " and ".join(map(str, known)) or "a log from before logs had names"
        super().__init__(NOT_ACCEPTED.format(topic=EVENTS, topic_id=topic_id, known=ids))


class MadeAnew(Halt):
    """The topic was deleted and made anew while it was read; at the next start it is another log."""

    def __init__(self, topic_id: uuid.UUID, known: Collection[uuid.UUID]) -> None:
        ids = " and ".join(map(str, known))
        super().__init__(f"The topic was made anew while it was read: {topic_id} after {ids}.")


Changed = Callable[[uuid.UUID, Collection[uuid.UUID]], Halt]


class OfOneLog:
    """The step that `step_of` makes for the topic's id when the first batch comes."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[uuid.UUID]],
        step_of: Callable[[uuid.UUID], Awaitable[Step]],
        changed: Changed = NotAccepted,
    ) -> None:
        """`ask` gives the topic's id now; `step_of` raises `NotAccepted` and `Transient`.

        `changed` is what is raised when the topic has another id than the one before.
        """
        self._ask = ask
        self._step_of = step_of
        self._changed = changed
        self._log: uuid.UUID | None = None
        self._step: Step | None = None

    def assigned(self, partitions: Collection[int]) -> None:
        """See `Step`."""
        if self._step is not None:
            self._step.assigned(partitions)

    async def revoked(self) -> None:
        """See `Step`."""
        if self._step is not None:
            await self._step.revoked()

    async def __call__(self, records: Sequence[LogRecord]) -> list[Reject]:
        """See `Step`. Raises `NotAccepted`."""
        try:
            log = await self._ask()
        except (KafkaError, OSError, TimeoutError) as error:
            raise Transient(f"asking for the topic's id: {error!r}") from error
        if self._step is None:
            self._log, self._step = log, await self._step_of(log)
        elif self._log is not None and log != self._log:
            # what was fetched may be of either; at its next start the process asks anew
            raise self._changed(log, [self._log])
        return [reject._replace(log=log) for reject in await self._step(records)]
