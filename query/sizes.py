"""How large the rows of a tenant were of late: how many of them one answer may have."""

from collections import OrderedDict

ROWS_MIN = 50
"""Rows that a query asks for at least: repeats are left out, and must not make it a query each. At
first not more, for events may have a megabyte each."""
ANSWER_BYTES = 16_000_000
"""What the next query may answer if its rows are as large as those before."""
TENANTS_MAX = 1_000


class Sizes:
    """Of the last answer to each tenant that asked of late."""

    def __init__(self) -> None:
        self._row_bytes: OrderedDict[str, int] = OrderedDict()

    def rows(self, tenant: str, count: int) -> int:
        """How many rows to ask for when `count` are wanted."""
        row_bytes = self._row_bytes.get(tenant, ANSWER_BYTES)
        return max(ROWS_MIN, min(count, ANSWER_BYTES // row_bytes))

    def note(self, tenant: str, rows: int, size: int) -> None:
        """An answer had so many rows, at least one, and bytes."""
        self._row_bytes[tenant] = size // rows
        self._row_bytes.move_to_end(tenant)
        if len(self._row_bytes) > TENANTS_MAX:
            self._row_bytes.popitem(last=False)
