"""The parts of delivery, put together: the step, and what runs beside it."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from processors.deliver.catch_up import CatchUp
from processors.deliver.dead_letters import DeadLetters
from processors.deliver.deliver import Deliver
from processors.deliver.firsts import Firsts
from processors.deliver.jobs import JobRunner
from processors.deliver.lanes import Lanes
from processors.deliver.ledger import Ledger
from processors.deliver.lifecycle import Lifecycle
from processors.deliver.measures import DeliveryMeasures
from processors.deliver.places import Places
from processors.deliver.reader import Reader, Source
from processors.deliver.route import Route
from processors.deliver.sender import Queues, Sender
from processors.deliver.slots import Slots
from processors.deliver.stops import Stops
from processors.deliver.windows import Windows
from service.kafka.eventlog import EventLog
from service.kafka.follow import JobsFollower, SubscriptionsFollower


class Limits(NamedTuple):
    """The operator's: longest pause between two tries and how long an event is owed, in s; calls at once.

    And how long a queue may take nothing before its subscription is paused, in s.
    """

    pause_max_s: float
    retry_for_s: float
    calls_max: int
    pause_after_s: float = 24 * 3600.0


class Router:
    """Delivers over `queues`; `source_of` makes a connection to the log, `topics` is what is written."""

    def __init__(
        self,
        queues: Queues,
        topics: EventLog,
        subscriptions: SubscriptionsFollower,
        jobs: JobsFollower,
        source_of: Callable[[], Source],
        limits: Limits,
    ) -> None:
        self.places = Places(topics)
        self.reader = Reader(source_of)
        ledger, self.send = Ledger(topics), Sender(queues, Slots(limits.calls_max))
        apart = asyncio.Semaphore(max(1, limits.calls_max // 2))
        dead = DeadLetters(self.send, ledger, topics, apart)
        deliver = Deliver(self.send, ledger, dead, limits.pause_max_s, apart)
        windows, firsts = Windows(self.reader, subscriptions), Firsts()
        stops = Stops(self.places, subscriptions)
        lifecycle = Lifecycle(topics, subscriptions, self.places, self.reader, limits.pause_after_s)
        catch_up = CatchUp(
            self.places, subscriptions, deliver, dead, ledger, self.reader, windows,
            firsts, lifecycle, stops, limits.retry_for_s,
        )  # fmt: skip
        self.lanes = Lanes(self.places, subscriptions, deliver, dead, catch_up, self.reader, stops)
        self.step = Route(subscriptions, self.places, self.lanes, firsts, stops)
        self.measures = DeliveryMeasures(self.places, self.lanes, ledger, subscriptions)
        self._jobs = JobRunner(
            jobs, subscriptions, self.places, self.lanes, deliver, dead, ledger, self.reader,
            topics, limits.retry_for_s,
        )  # fmt: skip

    async def run(self) -> None:
        """Serve who is behind, and run jobs, until cancelled. Raises what is a bug."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.lanes.run(), name="lanes")
                tasks.create_task(self._jobs.run(), name="jobs")
        finally:
            await self.reader.close()
