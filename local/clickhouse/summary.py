"""What a statement read and wrote, as `X-ClickHouse-Summary` tells it: figures of the engine's own.

https://clickhouse.com/docs/interfaces/http: every figure is a string. A streamed answer's header
goes out with its first blocks, so there the figures are those until then, as a server's are.
"""

import json
import time
from typing import Any

_TOLD = ("read_rows", "read_bytes", "written_rows", "written_bytes", "total_rows_to_read")


class Figures:
    """Of the statement that runs on a connection; `progress` is the engine's callback."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget the statement before."""
        self._told = dict.fromkeys(_TOLD, 0)
        self._result_rows = self._result_bytes = 0
        self._began_ns = time.perf_counter_ns()

    def progress(self, told: dict[str, int]) -> None:
        """What the engine has done so far; it tells that at the end and every 100 ms before."""
        for name in _TOLD:
            self._told[name] = max(self._told[name], told[name])

    def add(self, result: Any) -> None:
        """Count a result of chDB, or one block of a streamed one."""
        self._result_rows += result.rows_read()
        self._result_bytes += result.bytes_read()
        # an open stream has told nothing by its first blocks, which carry what was read for them
        self._told["read_rows"] = max(self._told["read_rows"], result.storage_rows_read())
        self._told["read_bytes"] = max(self._told["read_bytes"], result.storage_bytes_read())

    def header(self) -> str:
        """The header's value."""
        written = self._told["written_rows"]
        figures = self._told | {
            "result_rows": written or self._result_rows,
            "result_bytes": self._told["written_bytes"] if written else self._result_bytes,
            "elapsed_ns": time.perf_counter_ns() - self._began_ns,
        }
        return json.dumps({name: str(figure) for name, figure in figures.items()})
