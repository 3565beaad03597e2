"""Posting one event, or many at once: what is sent, what came of it, what the terminal shows."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from httpx import AsyncClient, Limits, codes
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from cli.answers import TIMEOUT_S, complain, fail, show_json, why
from cli.endpoints import Endpoints
from cli.event_file import EventFile, Item
from cli.sender import GaveUp, Sender

TOKEN_LIFETIME_S = 24 * 3600  # one token serves the whole run
NOTE_CHARACTERS_MAX = 60


@dataclass
class Report:
    """What became of many events; `stopped` says where and why the run ended early."""

    accepted: int = 0
    rejected: int = 0
    retried: int = 0
    stopped: str = ""

    def summary(self, seconds: float) -> str:
        """One line."""
        return (
            f"{self.accepted:,} accepted, {self.rejected:,} rejected, {self.retried:,} retried"
            f" in {seconds:.1f} s ({self.accepted / seconds:,.0f}/s)"
        )


async def post_one(where: Endpoints, tenant: str, item: Item, retry_for_s: float) -> None:
    """Send one event and print the answer. Exits with the reason when it is not accepted."""

    def note(reason: str) -> None:
        complain(f"{reason}; trying again, for {retry_for_s:g} s at the most")

    async with AsyncClient(headers=where.headers(tenant), timeout=TIMEOUT_S) as client:
        try:
            answer = await Sender(client, where.api, retry_for_s, note).send(item.body)
        except GaveUp as reason:
            fail(f"Not accepted: {reason}. See: events status. Start the stack: events up")
    if answer.status_code != codes.CREATED:
        fail(f"Not accepted: {why(answer)}")
    show_json(answer.text)


async def post_all(
    where: Endpoints, tenant: str, file: EventFile, at_once: int, retry_for_s: float, report: Report
) -> None:
    """Send all events, `at_once` at a time; rejects are printed as they come, the rest is counted.

    Stops when one cannot be brought in within `retry_for_s`: the ones after it would fare no better.
    """
    headers = where.headers(tenant, TOKEN_LIFETIME_S)
    limits = Limits(max_connections=at_once)
    with Bar(file.total) as bar:
        async with AsyncClient(headers=headers, timeout=TIMEOUT_S, limits=limits) as client:

            def note(reason: str) -> None:
                report.retried += 1
                bar.note(f"trying again: {reason}")

            sender, reading = Sender(client, where.api, retry_for_s, note), asyncio.Lock()
            async with asyncio.TaskGroup() as workers:
                for _ in range(at_once):
                    workers.create_task(_work(file.events, reading, sender, report, bar))


class Bar:
    """The progress bar, on standard error."""

    def __init__(self, total: int | None) -> None:
        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
        )
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._task: TaskID = self._progress.add_task("", total=total)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def note(self, text: str) -> None:
        """Show `text` beside the bar."""
        self._progress.update(self._task, description=text[:NOTE_CHARACTERS_MAX])

    def line(self, text: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def advance(self) -> None:
        """One event is done."""
        self._progress.update(self._task, advance=1, description="")


async def _work(
    events: Iterator[Item], reading: asyncio.Lock, sender: Sender, report: Report, bar: Bar
) -> None:
    """Send events until there are none left or one cannot be brought in."""
    while not report.stopped:
        async with reading:  # in a thread: a slow stream must not hold up the answers
            item = await asyncio.to_thread(next, events, None)
        if item is None:
            return
        try:
            answer = await sender.send(item.body)
        except GaveUp as reason:
            report.stopped = report.stopped or f"{item.place}: {reason}"
            return
        if answer.status_code == codes.CREATED:
            report.accepted += 1
        else:
            report.rejected += 1
            bar.line(f"{item.place}: {why(answer)}")
        bar.advance()
