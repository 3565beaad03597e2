"""Posting one event, or many in batches: what is sent, what came of it."""

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from httpx import codes

from cli.answers import fail, show_json, why
from cli.bar import Bar
from cli.batch import Batch
from cli.event_file import Item, Unreadable
from cli.sender import GaveUp, Sender, busy
from contracts import paths


@dataclass
class Report:
    """What became of many events; `stopped` says where and why the run ended early."""

    bar: Bar
    accepted: int = 0
    rejected: int = 0
    retried: int = 0
    stopped: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def retry(self, reason: str) -> None:
        """A request is sent again."""
        with self._lock:
            self.retried += 1
        self.bar.note(f"trying again: {reason}")

    def add(self, batch: Batch, stopped: str = "") -> None:
        """Count what is answered of `batch` and name its refused events."""
        with self._lock:
            refused = batch.refused()
            self.accepted += batch.accepted()
            self.rejected += len(refused)
            self.stopped = self.stopped or stopped
            for line in refused:
                self.bar.line(line)
        self.bar.advance(len(batch.items), sum(len(item.body) + 1 for item in batch.items))

    def summary(self, seconds: float) -> str:
        """One line."""
        return (
            f"{self.accepted:,} accepted, {self.rejected:,} rejected, {self.retried:,} retried"
            f" in {seconds:.1f} s ({self.accepted / seconds:,.0f}/s)"
        )


def post_one(sender: Sender, item: Item, key: str) -> None:
    """Send one event and print the answer. Exits with the reason when it is not accepted."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    try:
        answer = sender.send(paths.EVENTS, headers, lambda: item.body, busy)
    except GaveUp as reason:
        fail(f"Not accepted: {reason}. See: events status. Start the stack: events up")
    if answer.status_code != codes.CREATED:
        fail(f"Not accepted: {why(answer)}")
    show_json(answer.text)


def post_all(sender: Sender, batches: Iterator[Batch], at_once: int, report: Report) -> None:
    """Send all batches, at most `at_once` at a time and begun in their order.

    Stops when a batch cannot be brought in, for those after it would fare no better, and where the
    file cannot be read. Interrupted, it waits for the answers to what is under way.
    """
    under_way: deque[Future[None]] = deque()
    with ThreadPoolExecutor(at_once) as threads:
        try:
            for batch in batches:
                if len(under_way) == at_once:
                    under_way.popleft().result()
                if report.stopped:
                    break
                under_way.append(threads.submit(_post, sender, batch, report))
        except Unreadable as error:
            report.stopped = report.stopped or str(error)
        except BaseException:
            sender.stop()
            raise
        for future in under_way:
            future.result()


def _post(sender: Sender, batch: Batch, report: Report) -> None:
    """Send `batch` until it is answered."""
    try:
        answer = sender.send(paths.BATCH, batch.headers, batch.body, batch.take)
    except GaveUp as reason:
        report.add(batch, f"{batch.unanswered()}: {reason}")
        return
    report.add(batch, "" if batch.is_answered() else f"{batch.unanswered()}: {why(answer)}")
