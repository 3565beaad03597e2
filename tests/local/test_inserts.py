"""Who asks what is running is told of an insert from its first byte, as by a ClickHouse server."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.processes import free_port, running_module

HEAD = (
    "POST /?query=INSERT+INTO+received+FORMAT+CSV HTTP/1.1\r\n"
    "Host: local\r\nContent-Length: 4\r\n\r\n"
)
RUNNING = "SELECT count() FROM system.processes WHERE query_kind = 'Insert'"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where a server with an empty table `received` listens."""
    port, path = free_port(), tmp_path_factory.mktemp("clickhouse")
    arguments = ("--path", str(Path(path)), "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    with running_module("local.clickhouse", *arguments, ready=f"{url}/ping"):
        create = "CREATE TABLE received (a UInt64) ENGINE = MergeTree ORDER BY a"
        assert httpx.post(url, content=create, timeout=60).status_code == 200
        yield port


@pytest.mark.parametrize("ending", ["complete", "cut off"])
async def test_running_statements_are_told_when_the_inserts_before_have_ended(
    port: int, ending: str
) -> None:
    url = f"http://127.0.0.1:{port}"
    _, sender = await asyncio.open_connection("127.0.0.1", port)
    sender.write(HEAD.encode() + b"1\n")  # half of its data
    await sender.drain()
    async with httpx.AsyncClient(timeout=30) as client:
        before = int((await client.post(url, content="SELECT count() FROM received")).text)
        asked = asyncio.create_task(client.post(url, content=RUNNING))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asked), 0.5)
        if ending == "complete":
            sender.write(b"2\n")
        else:
            sender.transport.abort()
        assert (await asked).text == "0\n"
        stored = int((await client.post(url, content="SELECT count() FROM received")).text)
    sender.close()
    assert stored - before == (2 if ending == "complete" else 0)


async def test_an_insert_that_never_ends_is_reported_as_an_error(port: int) -> None:
    _, sender = await asyncio.open_connection("127.0.0.1", port)
    sender.write(HEAD.encode() + b"1\n")
    await sender.drain()
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.post(f"http://127.0.0.1:{port}", content=RUNNING)
    sender.transport.abort()
    assert answer.status_code == 408
    assert answer.headers["X-ClickHouse-Exception-Code"] == "159"
