"""A lane: all that the router knows of one subscription while it delivers to it.

Who holds its `lock` sends; nobody else does. What it holds is of records in hand, so it is bounded.
"""

import asyncio
import contextlib
import time

from contracts.attempts import Attempt, Origin, State
from processors.deliver.breaker import Breaker
from processors.deliver.rate import Rate

Key = tuple[str, str]
"""Tenant and subscription."""
Position = tuple[int, int]
"""Partition and offset in `events`."""

QUICK_S = 0.25
"""A lane whose waves take longer is served apart."""
PATIENCE_S, TIMES = 0.1, 4.0
"""It is stuck when a wave takes longer than this, and than so many times what its waves take."""
SMOOTHED = 0.2


class Lane:
    """`settled`: what became of positions that need nothing any more; `attempts`: how often others were sent.

    `unrecorded`: what the ledger lacks, with the keys of its records. `overdue`: the last turn gave up
    what was owed too long, and there may be more. `origin`: of what is sent through it.
    `told_ms`: since when it failed when people were told of that; 0 if they were not, or it is over.
    `told_behind_s`: when the ledger was told how far it is behind, by partition.
    """

    def __init__(self, key: Key, origin: Origin = "automatic") -> None:
        self.key = key
        self.origin = origin
        self.lock = asyncio.Lock()
        self.breaker = Breaker()
        self.rate = Rate()
        self.settled: dict[Position, State] = {}
        self.attempts: dict[Position, int] = {}
        self.unrecorded: list[tuple[bytes, Attempt]] = []
        self.overdue = False
        self.told_ms = 0
        self.told_behind_s: dict[int, float] = {}
        self._wave_s = 0.0
        self._moved_s = 0.0
        self._hurried = asyncio.Event()

    def beside(self, origin: Origin) -> "Lane":
        """A lane for other messages to the same destination: they take turns, and share breaker and rate."""
        lane = Lane(self.key, origin)
        lane.lock, lane.breaker, lane.rate = self.lock, self.breaker, self.rate
        return lane

    async def pause(self, pause_s: float) -> None:
        """Wait for so long, or until there is news."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._hurried.wait()
        self._hurried.clear()

    def hurry(self) -> None:
        """Somebody has stopped or started its subscription: what failed before says nothing any more."""
        self.breaker.forgive()
        self._hurried.set()

    @property
    def name(self) -> bytes:
        """The key of records about the lane itself."""
        return ":".join(self.key).encode()

    @property
    def quick(self) -> bool:
        """Whether its destination answers soon enough to be waited for."""
        return self._wave_s < QUICK_S and not self.breaker.since_ms

    @property
    def proven(self) -> bool:
        """Whether it has answered soon before: until then few calls are risked."""
        return self._moved_s > 0 and self.quick

    def is_stuck(self, started_s: float) -> bool:
        """Whether its destination has kept silent for longer than it is used to."""
        silent_s = time.monotonic() - max(started_s, self._moved_s)
        return silent_s > max(PATIENCE_S, TIMES * self._wave_s)

    @property
    def failure(self) -> tuple[int, int]:
        """What its places keep: since when it fails, and what was told of that."""
        return self.breaker.since_ms, self.told_ms

    def answered(self, wave_s: float) -> None:
        """A wave of calls has taken so long."""
        self._moved_s = time.monotonic()
        self._wave_s += SMOOTHED * (wave_s - self._wave_s)

    def settle(self, position: Position, state: State) -> None:
        """It needs nothing any more."""
        self.settled[position] = state
        self.attempts.pop(position, None)

    def attempts_in(self, partition: int) -> dict[int, int]:
        """How often offsets of a partition were sent."""
        return {
            offset: tries
            for (number, offset), tries in self.attempts.items()
            if number == partition
        }

    def forget(self, partition: int, before: int) -> None:
        """Nobody asks for positions before this offset again."""
        self.settled = {
            each: state
            for each, state in self.settled.items()
            if each[0] != partition or each[1] >= before
        }
