"""A ClickHouse that keeps what it is sent and answers what it is told; without a server."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

from service.clickhouse import ClickHouse, ClickHouseFailed
from service.connections import ClickHouseConnection


class Sent(NamedTuple):
    """One request: the client's method, the statement or table, its settings, its body."""

    method: str
    sql: str
    settings: dict[str, Any]
    body: bytes


class Recorder(ClickHouse):
    """Takes the place of the connection, below everything that decides what is sent.

    `answers` are found by a text in the statement, a list gives one after another; `failures` come
    first, one for each request.
    """

    def __init__(
        self,
        connection: ClickHouseConnection,
        cluster: str = "",
        answers: Mapping[str, bytes | list[bytes]] | None = None,
    ) -> None:
        super().__init__(connection, cluster)
        self.sent: list[Sent] = []
        self.answers = dict(answers or {})
        self.failures: list[ClickHouseFailed] = []

    @property
    def reads(self) -> list[Sent]:
        """Queries."""
        return [sent for sent in self.sent if sent.method == "raw_query"]

    @property
    def writes(self) -> list[Sent]:
        """Everything else."""
        return [sent for sent in self.sent if sent.method != "raw_query"]

    async def _run(self, method: str, *positional: Any, **arguments: Any) -> bytes:
        settings = positional[2] if method == "raw_query" else arguments["settings"]
        stream = positional[2] if method == "raw_insert" else _nothing()
        body = [piece async for piece in stream]
        self.sent.append(Sent(method, positional[0].strip(), settings or {}, b"".join(body)))
        if self.failures:
            raise self.failures.pop(0)
        return self._answer(positional[0])

    def _answer(self, sql: str) -> bytes:
        for text, answer in self.answers.items():
            if text in sql:
                return answer.pop(0) if isinstance(answer, list) else answer
        return b""


async def _nothing() -> AsyncIterator[bytes]:
    none: tuple[bytes, ...] = ()
    for piece in none:
        yield piece


def on_cluster(
    answers: Mapping[str, bytes | list[bytes]] | None = None, timeout_s: float = 30
) -> Recorder:
    """One that is told the name of a cluster."""
    return Recorder(ClickHouseConnection(timeout_s=timeout_s), "main", answers)


def on_one_server(answers: Mapping[str, bytes | list[bytes]] | None = None) -> Recorder:
    """One that is not."""
    return Recorder(ClickHouseConnection(), "", answers)
