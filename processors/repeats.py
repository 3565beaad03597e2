"""What was posted again under its Idempotency-Key, and is stored already.

Both posts are records of the log with one id; the table keeps the first when parts are merged. So
that counts are right before that, the ids that keys gave are remembered as long as clients usually
repeat, and a record with one of them is left out. Later repeats are left to the table.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

WINDOW_MS = 10 * 60 * 1000


class Named(Protocol):
    """A row as far as its name goes: tenant and id when a key gave the id, else None."""

    @property
    def name(self) -> tuple[str, str] | None:
        """See the class."""


Row = TypeVar("Row", bound=Named)


class Repeats:
    """The names stored last, at most `names_max`."""

    def __init__(self, names_max: int) -> None:
        self._names_max = names_max
        self._stored: dict[tuple[str, str], None] = {}

    def without(self, rows: Sequence[Row], new: dict[tuple[str, str], None]) -> list[Row]:
        """`rows` without those whose name is stored or in `new`, which the others' are added to."""
        kept: list[Row] = []
        for row in rows:
            name = row.name
            if name is not None:
                if name in self._stored or name in new:
                    continue
                new[name] = None
            kept.append(row)
        return kept

    def remember(self, names: Iterable[tuple[str, str]]) -> None:
        """These are stored."""
        stored = self._stored
        for name in names:
            stored[name] = None
        while len(stored) > self._names_max:
            stored.pop(next(iter(stored)))
