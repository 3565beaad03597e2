"""How far back each query of a search looks, and how many rows it may read.

Windows begin at the range's end and grow as far as the time that the last one took allows, so that
whoever wants recent events never reads old ones. What an index finds is looked for in the whole range at
once, unless ClickHouse says, before it reads, that the index leaves many rows.
"""

from query.cursor import Rest

FIRST_WINDOW_MS = 4 * 60 * 1000
INDEXED_WINDOW_MS = 24 * 60 * 60 * 1000
"""Where an index says which rows have the value, and there are many of them."""
INDEXED_ROWS_MAX = 500_000
"""That an index may leave of the whole range: read in about the time of one more query or two."""
AGE_SHARE = 8
"""A window is at least this part of the time since then: years are not looked at minute by minute."""
GROWTH = 512
"""At most, after a window that took no time."""
GROWTH_MIN = 16
"""At least: each window reads anew what lies in no order of time."""
SHRINKING = 128
"""Of a window that has too many rows."""
QUERY_S = 0.01
"""What a query takes that reads nothing: no reason to grow less."""
REST_SHARE = 1 / 3
"""A window that would reach so much of what is left takes all of it, as each reads some rows anew."""
WINDOW_SHARE = 1 / 10
"""Of a search's deadline: what the next window may take."""


class Windows:
    """The windows of one search; times in ms since 1970."""

    def __init__(
        self, rest: Rest, now_ms: int, rows_max: int, timeout_s: float, *, is_indexed: bool
    ) -> None:
        self._end_ms = rest.from_ms
        self._share_s = timeout_s * WINDOW_SHARE
        age_ms = now_ms - rest.position.received_ms
        self._narrow = max(FIRST_WINDOW_MS, age_ms // AGE_SHARE), rows_max
        self._ms, self.rows_max = self._narrow
        if is_indexed:
            self._narrow = max(INDEXED_WINDOW_MS, age_ms // AGE_SHARE), rows_max
            self._ms = rest.position.received_ms - rest.from_ms
            self.rows_max = min(rows_max, INDEXED_ROWS_MAX)

    def start(self, before_ms: int) -> int:
        """Where the window begins that ends at `before_ms`."""
        return max(self._end_ms, before_ms - self._ms)

    @property
    def is_wide(self) -> bool:
        """Whether the next one is what an index is asked for at once."""
        return self.rows_max < self._narrow[1]

    def shrink(self) -> bool:
        """ClickHouse refused the last one: try a smaller one. False when there is none."""
        if self.is_wide:
            self._ms, self.rows_max = self._narrow
        elif self._ms > FIRST_WINDOW_MS:
            self._ms = max(self._ms // SHRINKING, FIRST_WINDOW_MS)
        else:
            return False
        return True

    def grow(self, start_ms: int, took_s: float, found: int, wanted: int) -> None:
        """The last one began at `start_ms` and had `found` of the `wanted` events, so not all."""
        growth = self._share_s / max(took_s - QUERY_S, QUERY_S / 10)
        if found:
            growth = min(growth, 2 * wanted / found)
        self._ms = round(self._ms * min(max(growth, GROWTH_MIN), GROWTH))
        left_ms = start_ms - self._end_ms
        if self._ms > left_ms * REST_SHARE:
            self._ms = left_ms
