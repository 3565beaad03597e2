"""Materializers with one protection taken off: what the checks must find wanting."""

from collections.abc import Sequence
from typing import Any
from unittest import mock

from processors import __main__ as processor
from processors.consume.consume import Consume, next_offsets
from processors.consume.step import LogRecord
from processors.ledger.step import Ledger
from processors.materialize.step import Materialize
from processors.settings import LedgerSettings, MaterializeSettings


class NoReadBack(Materialize):
    """Trusts the committed offsets: what is read again is inserted again."""

    async def _stored(self, records: Sequence[LogRecord]) -> set[tuple[int, int]]:
        return set()


class CommitsFirst(Consume):
    """Commits what it has read before it has stored it."""

    async def _once(self, records: Sequence[Any]) -> None:
        await self.consumer.commit(next_offsets(records))
        await super()._once(records)


class NoReadBackOfAttempts(Ledger):
    """The same of the ledger."""

    async def _stored(self, records: Sequence[LogRecord]) -> set[tuple[int, int]]:
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
