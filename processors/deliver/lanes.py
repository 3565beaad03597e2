"""All lanes of a process: those that are behind have a task each, beside the router's step.

The router serves a lane from the batch in hand. One that fails, or does not come to its end in time,
is behind: from then on its task serves it from the log, at its own pace, until it has caught up. So a
destination that hangs costs the others its share of the calls, which is bounded, and nothing else.
"""

import asyncio
import contextlib
import functools
import logging
from collections.abc import Collection, Mapping
from typing import Any

from processors.consume.step import Transient
from processors.deliver.catch_up import CatchUp
from processors.deliver.dead_letters import DeadLetters
from processors.deliver.deliver import Deliver
from processors.deliver.kept import learn
from processors.deliver.lane import Key, Lane, Position
from processors.deliver.place import Behind, Place, behind
from processors.deliver.places import Places
from processors.deliver.plan import Planned
from processors.deliver.reader import Reader
from processors.deliver.stops import Stops
from service.kafka.follow import SubscriptionsFollower

log = logging.getLogger(__name__)

TURNS_AT_ONCE = 64
IDLE_S = 0.1
"""How long a slow lane that has everything waits for more."""
AGAIN_S = 1.0
REST_S = 8.0


class Lanes:
    """Lanes by tenant and subscription, made when they are first asked for.

    `beside` is what others have under way: a rest waits for it too.
    """

    def __init__(
        self,
        places: Places,
        follower: SubscriptionsFollower,
        deliver: Deliver,
        dead: DeadLetters,
        catch_up: CatchUp,
        reader: Reader,
        stops: Stops,
    ) -> None:
        self._places = places
        self._follower = follower
        self._stops = stops
        follower.on_change = places.moved.set
        self._deliver = deliver
        self._dead = dead
        self._catch_up = catch_up
        self._reader = reader
        self._lanes: dict[Key, Lane] = {}
        self._behind: dict[Key, asyncio.Task[None]] = {}
        self._in_hand: set[asyncio.Task[None]] = set()
        self._touched: set[Lane] = set()
        self.beside: set[asyncio.Future[Any]] = set()
        self._failure: BaseException | None = None
        self._turns = asyncio.Semaphore(TURNS_AT_ONCE)

    @property
    def open(self) -> int:
        """How many breakers are open, of those that have something to send."""
        stopped = self._follower.table.stopped
        return sum(
            each.breaker.is_open and self.is_behind(key) and key not in stopped
            for key, each in self._lanes.items()
        )

    def of(self, key: Key) -> Lane:
        """The lane of a subscription."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key)
        return lane

    def assigned(self, partitions: Collection[int]) -> None:
        """These partitions are ours from now on: nothing is known of their lanes."""
        for task in (*self._behind.values(), *self._in_hand):
            task.cancel()
        self._behind.clear()
        self._lanes.clear()
        self._touched.clear()
        self._deliver.resting = False
        self._places.assigned(partitions)

    def is_behind(self, key: Key) -> bool:
        """Whether a lane is served apart."""
        return bool(self._places.of(key))

    def begin(self, key: Key, planned: Planned, ends: Mapping[int, int]) -> asyncio.Task[None]:
        """Serve a lane what the router has in hand, up to `ends`."""
        self._touched.add(self.of(key))
        task = asyncio.create_task(self._serve(key, planned, ends))
        self._in_hand.add(task)
        task.add_done_callback(self._in_hand.discard)
        return task

    def spill(
        self,
        key: Key,
        planned: Planned,
        ends: Mapping[int, int],
        task: asyncio.Task[None] | None = None,
    ) -> None:
        """The router does not wait for this lane: it is behind from where it, or its `task`, is now."""
        lane, first = self.of(key), dict[int, int]()
        self._touched.add(lane)
        for position in sorted(planned.positions):
            if position not in lane.settled:
                first.setdefault(*position)
        for partition in {partition for partition, _ in planned.positions}:
            place, at = Place(*key, partition), first.get(partition, ends[partition])
            if place not in self._places.behind:
                self._put(place, Behind(at, {}, 0, *lane.failure))
            self._places.lower(place, at)  # it was stopped meanwhile, behind what is under way
        if task is not None:
            task.add_done_callback(self._late)

    def done(self) -> None:
        """The router's batch is settled."""
        for lane in self._touched:
            if not self.is_behind(lane.key):
                lane.settled.clear()
                lane.attempts.clear()
        self._touched.clear()
        self._places.in_hand.clear()
        self._places.matching.clear()

    async def rest(self) -> None:
        """Let calls that are under way come to their end, within a bound, and begin none."""
        self._deliver.resting = True
        for key, task in self._behind.items():
            if not self.of(key).lock.locked():
                task.cancel()
        if tasks := {*self._behind.values(), *self._in_hand, *self.beside}:
            await asyncio.wait(tasks, timeout=REST_S)
        with contextlib.suppress(Transient):  # then more is sent again
            await self._places.save()

    async def run(self) -> None:
        """Serve who is behind until cancelled. Raises what is a bug."""
        async with asyncio.TaskGroup() as tasks:
            while self._failure is None:
                self._places.moved.clear()
                if self._places.partitions and not self._places.known:
                    await self._learn()
                self._stops.look()
                while self._stops.changed:
                    self.of(self._stops.changed.pop()).hurry()
                woken, self._places.woken = self._places.woken, set()
                for key in woken - self._behind.keys():
                    task = tasks.create_task(self._serve_behind(key))
                    self._behind[key] = task
                    task.add_done_callback(functools.partial(self._ended, key))
                await self._places.moved.wait()  # no deadline: there may be nothing for days
            raise self._failure

    def _late(self, task: asyncio.Task[None]) -> None:
        """Nobody waits for `task` any more; what it could not do its lane does again."""
        if task.cancelled() or (failure := task.exception()) is None:
            return
        if isinstance(failure, Transient):
            log.warning("a lane that is late waits: %s", failure)
        else:
            self._failure = failure
            self._places.moved.set()

    def _ended(self, key: Key, task: asyncio.Task[None]) -> None:
        if self._behind.get(key) is task:
            del self._behind[key]
            stopped = key in self._follower.table.stopped
            if not stopped and not self._deliver.resting:  # woken as it ended
                self._places.wake(key)

    async def _serve(self, key: Key, planned: Planned, ends: Mapping[int, int]) -> None:
        generation, lane = self._places.generation, self.of(key)
        async with lane.lock:
            left = await self._dead(lane, planned.subscription, planned.unmade)
            left += await self._deliver(lane, planned.subscription, planned.deliveries)
            if generation == self._places.generation:  # else others read these records again
                self._leave(key, planned, [each.delivery.position for each in left], ends)

    def _leave(
        self,
        key: Key,
        planned: Planned,
        left: Collection[Position],
        ends: Mapping[int, int],
    ) -> None:
        """A lane is behind where something is left, and where it was spilled."""
        lane = self.of(key)
        for number in {partition for partition, _ in planned.positions}:
            place = Place(*key, number)
            offsets = sorted(offset for partition, offset in left if partition == number)
            if offsets or place in self._places.behind:
                now = behind(offsets, ends[number], lane.attempts_in(number), lane.failure)
                self._put(place, now)

    def _put(self, place: Place, now: Behind) -> None:
        started = self._follower.table.started.get(place.lane, "")
        self._places.put(place, now._replace(started=started))

    async def _serve_behind(self, key: Key) -> None:
        """Take turns until the lane has caught up; one that is stopped has one, to say so."""
        lane, generation = self.of(key), self._places.generation
        while generation == self._places.generation and not self._deliver.resting:
            if not self._places.of(key):
                return
            pause_s = 0.0 if lane.overdue else lane.breaker.wait_s()
            await lane.pause(max(pause_s, lane.rate.wait_s()))
            stopped = key in self._follower.table.stopped
            try:
                if not self._follower.ready:
                    raise Transient("the subscriptions have not been read yet")
                async with lane.lock, self._turns:
                    moved = [await self._catch_up(lane, place) for place in self._places.of(key)]
                await self._places.save()
            except Transient as error:
                log.warning("subscription %s of %s waits: %s", *key[::-1], error)
                await asyncio.sleep(AGAIN_S)
                continue
            if stopped:
                return
            if not any(moved):
                await asyncio.sleep(IDLE_S)

    async def _learn(self) -> None:
        share = await learn(self._reader, self._places, AGAIN_S)
        if share is not None:
            self._deliver.share = share
            for key in self._places.woken:
                self._resume(key)

    def _resume(self, key: Key) -> None:
        """A lane fails since when all of its places say so; what was told of one was told."""
        states = [self._places.behind[place] for place in self._places.of(key)]
        failing_ms = [each.failing_ms for each in states]
        lane = self.of(key)
        lane.breaker.since_ms = max(failing_ms) if all(failing_ms) else 0
        lane.told_ms = max(each.told_ms for each in states)
