"""A step that handles records of one log only: the topic's id is asked for behind every fetch.

Topic ids never come back: as the topic has its old id after a batch was fetched, the batch is of that
log. An id that was not accepted ends the process before anything of it is stored.
"""

import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence

from aiokafka.errors import KafkaError

from processors.logs import NotAccepted
from processors.step import LogRecord, Reject, Step, Transient


class OfOneLog:
    """The step that `step_of` makes for the topic's id when the first batch comes."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[uuid.UUID]],
        step_of: Callable[[uuid.UUID], Awaitable[Step]],
    ) -> None:
        """`ask` gives the topic's id now; `step_of` raises `NotAccepted` and `Transient`."""
        self._ask = ask
        self._step_of = step_of
        self._log: uuid.UUID | None = None
        self._step: Step | None = None

    def assigned(self, partitions: Collection[int]) -> None:
        """See `Step`."""
        if self._step is not None:
            self._step.assigned(partitions)

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
            raise NotAccepted(log, [self._log])
        return [reject._replace(log=log) for reject in await self._step(records)]
