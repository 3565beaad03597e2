"""What was posted again under its Idempotency-Key, and is stored already.

Both posts are records of the log with one id; the table keeps the first when parts are merged. So
that counts are right before that, the ids that keys gave are remembered as long as clients usually
repeat, and a record with one of them is left out. Later repeats are left to the table.

An event that was erased must not come back by a client that repeats its POST: what comes under its
name within the window after the erasure is left out too. Later it is a new event.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

from contracts.erasures import Erasure
from contracts.ids import DERIVED, VERSION_AT

WINDOW_MS = 10 * 60 * 1000


class Named(Protocol):
    """A row as far as its name goes: tenant and id when a key gave the id, else None."""

    @property
    def name(self) -> tuple[str, str] | None:
        """See the class."""

    @property
    def received_ms(self) -> int:
        """When it was received, in ms since 1970."""


Row = TypeVar("Row", bound=Named)


class Repeats:
    """The names stored last and those erased last, each at most `names_max`."""

    def __init__(self, names_max: int) -> None:
        self._names_max = names_max
        self._stored: dict[tuple[str, str], None] = {}
        self._erased: dict[tuple[str, str], int] = {}  # when, in ms since 1970

    def erase(self, erasures: Iterable[Erasure]) -> None:
        """These are stored no more, and for a while nothing under their names is new."""
        for each in erasures:
            if each.event_id[VERSION_AT] == DERIVED:
                self._stored.pop(each.name, None)
                before_ms = self._erased.pop(each.name, 0)
                self._erased[each.name] = max(before_ms, each.erased_ms)
        _bound(self._erased, self._names_max)

    def unerased(self, rows: list[Row]) -> list[Row]:
        """`rows` without those that only repeat what was erased."""
        if not self._erased:
            return rows
        return [row for row in rows if row.name is None or not self._is_erased(row, row.name)]

    def _is_erased(self, row: Named, name: tuple[str, str]) -> bool:
        erased_ms = self._erased.get(name)
        return erased_ms is not None and row.received_ms <= erased_ms + WINDOW_MS

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
        _bound(stored, self._names_max)


def _bound(names: dict[tuple[str, str], Any], names_max: int) -> None:
    """Forget the oldest."""
    while len(names) > names_max:
        names.pop(next(iter(names)))
