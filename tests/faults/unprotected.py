"""Processors with one protection taken off: what the checks must find wanting."""

from collections.abc import Sequence
from typing import Any
from unittest import mock

import msgspec

from contracts.encoding.recordbatch import Record
from contracts.jobs import Job, Progress
from contracts.topics import DELIVERIES_RETRY
from processors import __main__ as processor
from processors.consume.consume import Consume, next_offsets
from processors.deliver import router
from processors.deliver.jobs import WINDOW, JobRunner, Part
from processors.deliver.lane import Lane
from processors.deliver.rate import Rate
from processors.ledger.step import Ledger
from processors.materialize.step import Materialize, Spans
from processors.settings import LedgerSettings, MaterializeSettings, RouteSettings
from service.kafka.eventlog import EventLog


class NoReadBack(Materialize):
    """Trusts the committed offsets: what is read again is inserted again."""

    async def _stored(self, read: Spans) -> set[tuple[int, int]]:
        return set()


class CommitsFirst(Consume):
    """Commits what it has read before it has stored it."""

    async def _once(self, records: Sequence[Any]) -> None:
        await self.consumer.commit(next_offsets(records))
        await super()._once(records)


class NoReadBackOfAttempts(Ledger):
    """The same of the ledger."""

    async def _stored(self, read: Spans) -> set[tuple[int, int]]:
        return set()


async def ledger_without_read_back(settings: LedgerSettings) -> None:
    """The ledger without reading back."""
    with mock.patch.object(processor, "Ledger", NoReadBackOfAttempts):
        await processor.ledger(settings)


async def no_read_back(settings: MaterializeSettings) -> None:
    """The materializer without reading back."""
    with mock.patch.object(processor, "Materialize", NoReadBack):
        await processor.materialize(settings)


async def commits_first(settings: MaterializeSettings) -> None:
    """The materializer that commits too early."""
    with mock.patch.object(processor, "Consume", CommitsFirst):
        await processor.materialize(settings)


async def route_commits_first(settings: RouteSettings) -> None:
    """The router that commits before it has sent, or noted what waits."""
    with mock.patch.object(processor, "Consume", CommitsFirst):
        await processor.route(settings)


class Forgetful(EventLog):
    """Says that it has kept who is behind, and has not."""

    async def append_all(self, topic: str, records: Sequence[Record]) -> list[Exception | None]:
        """See `EventLog`."""
        if topic == DELIVERIES_RETRY:
            return [None] * len(records)
        return await super().append_all(topic, records)


async def route_forgets_who_is_behind(settings: RouteSettings) -> None:
    """The router that notes no place."""
    with mock.patch.object(processor, "EventLog", Forgetful):
        await processor.route(settings)


class NotesFirst(JobRunner):
    """Keeps how far a job is before its messages are sent."""

    async def _window(
        self, job: Job, part: Part, lane: Lane, progress: Progress, rate: Rate
    ) -> Progress:
        wanted = len(job.positions[str(part.partition)])
        after = min(wanted, progress.next + WINDOW)
        await self._keep(part, msgspec.structs.replace(progress, next=after))
        return await super()._window(job, part, lane, progress, rate)


async def route_notes_jobs_first(settings: RouteSettings) -> None:
    """The router whose jobs are further than their messages."""
    with mock.patch.object(router, "JobRunner", NotesFirst):
        await processor.route(settings)
