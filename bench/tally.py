"""What a load has sent, and what the answers promise about it: the bounds of what the log may hold.

Nothing but the standard library, for the load generator's own environment imports it too.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

PRESSURE = (429, 503)
"""Statuses of an API that protects itself: counted, no failure."""

SAMPLE_BYTES = 500

Read = Callable[[int, bytes], list[int]]
"""The status of each event of a request, from the answer's status and body. Raises ValueError."""


@dataclass
class Tally:
    """Events unless named otherwise; what is neither accepted nor refused may be in the log or not."""

    offered: int = 0
    accepted: int = 0
    refused: int = 0
    requests_pressed: Counter[int] = field(default_factory=Counter)
    events_pressed: int = 0  # answered 429 or 503 inside a 207
    sample: str = ""  # the first answer that was a failure

    def take(self, sent: int, status: int, body: bytes, read: Read) -> str:
        """Count the answer to a request of `sent` events; why it is a failure, "" when it is none."""
        if status in PRESSURE:
            self.requests_pressed[status] += 1
            self._count([status] * sent)
            return ""
        reason = self._take(sent, status, body, read)
        if reason and not self.sample:
            self.sample = body[:SAMPLE_BYTES].decode(errors="replace")
        return reason

    def _take(self, sent: int, status: int, body: bytes, read: Read) -> str:
        if not 200 <= status < 300:
            self._count([status] * sent)
            return f"status {status}"
        try:
            statuses = read(status, body)
        except (ValueError, KeyError, TypeError):
            return f"status {status} with a body that contradicts it"
        self._count(statuses)
        self.events_pressed += sum(each in PRESSURE for each in statuses)
        if len(statuses) != sent:
            return f"status {status} with more or fewer items than were sent"
        wrong = {each for each in statuses if each != 201 and each not in PRESSURE}
        return f"valid events answered {sorted(wrong)}" if wrong else ""

    def _count(self, statuses: list[int]) -> None:
        self.accepted += statuses.count(201)
        self.refused += sum(400 <= each < 500 for each in statuses)


def of_event(status: int, body: bytes) -> list[int]:
    """Reads the answer to a single event: 201 and its representation with the id."""
    if status != 201 or not isinstance(json.loads(body)["id"], str):
        raise ValueError("not 201 with an id")
    return [status]


def of_batch(status: int, body: bytes) -> list[int]:
    """Reads the answer to a batch: 201 when all were accepted, 207 when some; the counts must agree."""
    answer = json.loads(body)
    statuses = [int(item["status"]) for item in answer["items"]]
    accepted = statuses.count(201)
    if (answer["accepted"], answer["rejected"]) != (accepted, len(statuses) - accepted):
        raise ValueError(f"{accepted} of {len(statuses)} items are 201, the counts differ")
    if status != (201 if accepted == len(statuses) else 207):
        raise ValueError(f"{accepted} of {len(statuses)} accepted")
    return statuses


class Bounds(NamedTuple):
    """How many events the log must hold at least, and may hold at most."""

    least: int
    most: int

    def broken(self, held: int) -> str:
        """What is wrong with a log that holds `held` events, "" when nothing is."""
        if held < self.least:
            return f"{self.least - held:,} acknowledged events are not in Kafka"
        if held > self.most:
            return f"Kafka holds {held - self.most:,} events more than were sent and not refused"
        return ""


def bounds(tallies: list[Tally]) -> Bounds:
    """What was acknowledged; and with it what nobody refused."""
    return Bounds(
        sum(each.accepted for each in tallies),
        sum(each.offered - each.refused for each in tallies),
    )
