"""ClickHouse as the processors ask it: a failure is `Transient`, an answer is its lines of JSON."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from contracts.clickhouse.replicas import LIVING
from processors.consume.step import Transient
from service.clickhouse import ClickHouse, ClickHouseFailed

INSERTING = """
SELECT query_id, Settings['log_comment'] FROM {processes}
WHERE startsWith(Settings['log_comment'], '{tag}') AND query_kind = 'Insert'
FORMAT JSONCompactEachRow
"""


@contextlib.contextmanager
def failing_as_transient(doing: str) -> Iterator[None]:
    """`ClickHouseFailed` becomes `Transient`, which says what was being done."""
    try:
        yield
    except ClickHouseFailed as error:
        raise Transient(f"{doing}: {error}") from error


async def read_back(clickhouse: ClickHouse, sql: str, doing: str) -> list[Any]:
    """The lines of what is there, all inserts that were acknowledged included; see `ClickHouse`."""
    return await lines(clickhouse, sql, doing, clickhouse.replicas.read_back)


async def lines(
    clickhouse: ClickHouse, sql: str, doing: str, settings: dict[str, Any] | None = None
) -> list[Any]:
    """The answer to `sql`, whose format is JSONCompactEachRow. Raises `Transient`."""
    with failing_as_transient(doing):
        answer = await clickhouse.select(sql, settings=settings)
    return [json.loads(line) for line in answer.splitlines()]


async def inserting(clickhouse: ClickHouse, tag: str, *, all_replicas: bool) -> dict[str, str]:
    """The inserts that run now under a tag that begins so: each one's, without `tag`, by query id.

    A replica that is away is an error with `all_replicas`, else it is left out.
    """
    replicas = clickhouse.replicas
    asked = INSERTING.format(tag=tag, processes=replicas.each("system.processes"))
    settings = LIVING if replicas.cluster and not all_replicas else None
    found = await lines(clickhouse, asked, "asking for inserts that run", settings)
    return {query: comment.removeprefix(tag) for query, comment in found}
