"""The real ClickHouse engine, with one small table that has computed columns."""

from collections.abc import Iterator

import httpx
import pytest

from tests.processes import free_port, running_module

SETUP = (
    "CREATE DATABASE events",
    "CREATE TABLE events.events (entity_id String, fault Nullable(String),"
    " fault_status UInt16 MATERIALIZED if(isNull(fault), 0, 503),"
    " fault_fingerprint String ALIAS if(isNull(fault), '', 'f1')) ENGINE = MergeTree ORDER BY entity_id",
    """INSERT INTO events.events VALUES ('7', '{"message": "no stock"}'), ('8\x1b[31m', NULL)""",
)


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ("--path", str(tmp_path_factory.mktemp("clickhouse")), "--port", str(port))
    with running_module("local.clickhouse", *arguments, ready=f"{url}/ping"):
        for sql in SETUP:
            httpx.post(url, content=sql.encode()).raise_for_status()
        yield url
