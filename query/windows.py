"""How far back each query of a search looks, and how many rows it may read.

Windows begin at the range's end and grow as far as the time that the last one took allows, so that a page
never reads what is far behind it; the next page begins with what the last one needed. What an index finds
is looked for in the whole range at once, unless ClickHouse says, before it reads, that the index leaves
many rows. Rows under Idempotency-Keys lie in no order of time: each window reads the time of all of them,
and they do not count as too many.
"""

from query.cursor import Rest

FIRST_WINDOW_MS = 4 * 60 * 1000
INDEXED_WINDOW_MS = 24 * 60 * 60 * 1000
"""Where an index says which rows have the value, and there are many of them."""
INDEXED_ROWS_MAX = 1_000_000
"""That an index may leave of the whole range: read in about the time of one more query or two."""
GROWTH = 512
"""At most, after a window that took no time."""
GROWTH_FAST, GROWN_SHARE = 16, 1 / 4
"""At least, as far as the next window would take no more than this part of the deadline if what it takes
grew as it does: each window reads anew what lies in no order of time."""
GROWTH_MIN = 1.25
"""Always: where all that a window takes is what each one takes, only larger ones come to an end."""
WIDE_SHARE, GUESS_SHARE = 1 / 4, 1 / 2
"""Of the time left: a window that may be too large leaves enough for what follows when it is."""
SHRINKING = 128
"""Of a window that has too many rows."""
SLOWER = 4
"""Of a window that was too slow, the next ones are at most such a part."""
QUERY_S = 0.01
"""What a query takes that reads nothing: no reason to grow less."""
REST_SHARE = 1 / 3
"""A window that would reach so much of what is left takes all of it, as each reads some rows anew."""
WINDOW_SHARE = 1 / 10
"""Of a search's deadline: what the next window may take."""
SHORT_MS = 25 * 60 * 60 * 1000
"""A day, also the one that has an hour more, and until now on whichever clock."""


def is_broad(from_ms: int, to_ms: int) -> bool:
    """Whether a count of [from_ms, to_ms) may be refused for its rows.

    Not one of a day: rows in no order of time are read for any time, and have to be.
    """
    return to_ms - from_ms > SHORT_MS


class Windows:
    """The windows of one search; times in ms since 1970."""

    def __init__(self, rest: Rest, rows_max: int, timeout_s: float, *, is_indexed: bool) -> None:
        self._end_ms = rest.from_ms
        self._rows_max = rows_max
        self._unordered = 0
        """Rows that every window reads, as far as is known."""
        self._is_probe = self._is_unbounded = False
        self._share_s, self._grown_s = timeout_s * WINDOW_SHARE, timeout_s * GROWN_SHARE
        self._ms = max(FIRST_WINDOW_MS, rest.window_s * 1000)
        self._is_wide = is_indexed and not rest.window_s and rows_max > INDEXED_ROWS_MAX
        self._ms_max: int | None = None
        """Known since one was too slow."""
        if is_indexed and not rest.window_s:
            self._ms = rest.position.received_ms - rest.from_ms

    def start(self, before_ms: int) -> int:
        """Where the window begins that ends at `before_ms`."""
        return max(self._end_ms, before_ms - self._ms)

    @property
    def next_ms(self) -> int:
        """How long the next one is, in ms, if the range is long enough."""
        return self._ms

    @property
    def time_share(self) -> float:
        """Of the time left, what the next one may take."""
        if self._is_wide:
            return WIDE_SHARE
        return GUESS_SHARE if self._ms > FIRST_WINDOW_MS else 1

    @property
    def rows_max(self) -> int:
        """How many rows the next one may read; 0: as many as it can in time."""
        if self._is_wide:
            return INDEXED_ROWS_MAX
        return 0 if self._is_unbounded else self._rows_max + self._unordered

    def shrink(self, *, is_slow: bool) -> bool:
        """ClickHouse stopped the last one: try a smaller one. False when there is none.

        If even the smallest has too many rows, then they are in no order of time: it reads them all. What
        a smaller one reads, the next ones may read beside the rows that one may have.
        """
        if self._is_wide:
            self._is_wide, self._ms = False, INDEXED_WINDOW_MS
            return True
        if self._is_unbounded or (is_slow and self._ms <= FIRST_WINDOW_MS):
            return False
        if is_slow:
            self._ms_max = max(FIRST_WINDOW_MS, self._ms // SLOWER)
        else:
            self._is_probe, self._is_unbounded = True, self._ms <= FIRST_WINDOW_MS
        self._ms = max(self._ms // SHRINKING, FIRST_WINDOW_MS)
        return True

    def grow(self, start_ms: int, took_s: float, rows_read: int, found: int, wanted: int) -> None:
        """The last one began at `start_ms` and had `found` of the `wanted` events, so not all."""
        if self._is_probe:
            self._unordered = rows_read
            self._is_probe = self._is_unbounded = False
        took_s = max(took_s - QUERY_S, QUERY_S / 10)
        growth = self._share_s / took_s
        if found:
            growth = min(growth, 2 * wanted / found)
        growth_min = max(GROWTH_MIN, min(GROWTH_FAST, self._grown_s / took_s))
        self._ms = round(self._ms * min(max(growth, growth_min), GROWTH))
        left_ms = start_ms - self._end_ms
        if self._ms > left_ms * REST_SHARE:
            self._ms = left_ms
        self._ms = min(self._ms, self._ms_max or self._ms)
