"""One batch of events: cut from the file, packed for the API, done with by its answers.

The API names an event by the batch's Idempotency-Key and the event's position, so neither may change
while the batch is sent again, nor when a later run repeats the file.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import zstandard
from httpx import Response

from cli.answers import reason, why
from cli.event_file import PAUSE, Item, Unreadable
from cli.sender import AGAIN

BYTES_MAX = 4 * 1024 * 1024
ANSWERED = b"null"  # keeps an event's position; the API refuses it, so nothing is stored for it


@dataclass
class Batch:
    """Events that are sent together, by position; `outcomes` has what the API finally said of each."""

    key: str
    items: list[Item]
    outcomes: dict[int, dict[str, Any]]

    @property
    def headers(self) -> dict[str, str]:
        """What the batch's requests carry."""
        return {
            "Content-Type": "application/x-ndjson",
            "Content-Encoding": "zstd",
            "Idempotency-Key": self.key,
        }

    def body(self) -> bytes:
        """The request's body: NDJSON without the events that are answered."""
        lines = [
            ANSWERED if position in self.outcomes else item.body
            for position, item in enumerate(self.items)
        ]
        return zstandard.compress(b"\n".join(lines))

    def take(self, answer: Response) -> str:
        """Keep what `answer` finally says; why the batch has to be sent again, "" when it has not."""
        entries = _entries(answer)
        if len(entries) != len(self.items):
            return why(answer) if answer.status_code in AGAIN else ""
        again = ""
        for position, entry in enumerate(entries):
            if position in self.outcomes:
                continue
            if entry["status"] in AGAIN:
                again = again or f"{self.items[position].place}: {_reason(entry)}"
            else:
                self.outcomes[position] = entry
        return again

    def is_answered(self) -> bool:
        """Whether the API finally answered for every event."""
        return len(self.outcomes) == len(self.items)

    def unanswered(self) -> str:
        """The places of the first and the last event without an answer."""
        left = [item.place for n, item in enumerate(self.items) if n not in self.outcomes]
        return left[0] if len(left) == 1 else f"{left[0]} to {left[-1].split()[-1]}"

    def accepted(self) -> int:
        """How many events the API accepted."""
        return sum(entry["status"] == HTTPStatus.CREATED for entry in self.outcomes.values())

    def refused(self) -> list[str]:
        """A line for each event that the API refused: its place, why, the fields by JSON pointer."""
        return [
            f"{self.items[position].place}: {_reason(entry, f'/{position}')}"
            for position, entry in sorted(self.outcomes.items())
            if entry["status"] != HTTPStatus.CREATED
        ]


def cut(events: Iterator[Item], key: str, events_max: int, at_pauses: bool) -> Iterator[Batch]:
    """`events` in batches of at most `events_max` and `BYTES_MAX`, named `key`-1, `key`-2 and so on.

    Only with `at_pauses` does a batch that is not full go before the next event has come: where
    the cuts fall then depends on time. Raises `Unreadable` after the events before that place.
    """
    number, items, size = 1, list[Item](), 0
    try:
        for item in events:
            if items and (
                (item is PAUSE and at_pauses)
                or size + len(item.body) > BYTES_MAX
                or len(items) == events_max
            ):
                yield Batch(f"{key}-{number}", items, {})
                number, items, size = number + 1, [], 0
            if item is not PAUSE:
                items.append(item)
                size += len(item.body) + 1
    except Unreadable:
        if items:
            yield Batch(f"{key}-{number}", items, {})
        raise
    if items:
        yield Batch(f"{key}-{number}", items, {})


def _entries(answer: Response) -> list[dict[str, Any]]:
    """The answer's entry for each event; none when it is not an answer to a batch."""
    try:
        document = json.loads(answer.content)
        entries = document["items"]
        return entries if all(isinstance(entry["status"], int) for entry in entries) else []
    except (ValueError, KeyError, TypeError):
        return []


def _reason(entry: dict[str, Any], within: str = "") -> str:
    return reason(entry["status"], entry.get("problem"), within) or str(entry["status"])
