"""What a statement read and wrote, as `X-ClickHouse-Summary` tells it: figures of the engine's own.

https://clickhouse.com/docs/interfaces/http: every figure is a string. A streamed answer's header
goes out with its first blocks, so there the figures are those until then, as a server's are.
"""

import json
import time
from typing import Any

_TOLD = ("read_rows", "read_bytes", "written_rows", "written_bytes", "total_rows_to_read")


class Figures:
    """Of the statement that runs on a connection."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget the statement before."""
        self._told = dict.fromkeys(_TOLD, 0)
        self._read = self._result = (0, 0)
        self._began_ns = time.perf_counter_ns()

    def progress(self, told: dict[str, int]) -> None:
        """The engine's callback: what it has done so far, every 100 ms and at the end."""
        self._told = told

    def answered(self, result: Any) -> None:
        """Count a result of chDB, or one block of a streamed one, of which it tells what was new."""
        self._read = _sum(self._read, (result.storage_rows_read(), result.storage_bytes_read()))
        self._result = _sum(self._result, (result.rows_read(), result.bytes_read()))

    def inserted(self, result: Any) -> None:
        """Count an insert's data, which is read from a file: of a small one the callback is silent."""
        self._read = result.rows_read(), result.bytes_read()

    def header(self) -> str:
        """The header's value."""
        told = {name: self._told[name] for name in _TOLD}
        read, result = self._read, self._result
        if told["written_rows"]:
            result = told["written_rows"], told["written_bytes"]
        figures = told | {
            "read_rows": max(told["read_rows"], read[0]),
            "read_bytes": max(told["read_bytes"], read[1]),
            "result_rows": result[0],
            "result_bytes": result[1],
            "elapsed_ns": time.perf_counter_ns() - self._began_ns,
        }
        return json.dumps({name: str(figure) for name, figure in figures.items()})


def _sum(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]
