"""A local ClickHouse endpoint of a test module's own, and a way to ask it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.processes import free_port, running_module


@contextlib.contextmanager
def running(path: Path) -> Iterator[str]:
    """Its URL while the context is open."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ("--path", str(path), "--port", str(port))
    with running_module("local.clickhouse", *arguments, ready=f"{url}/ping"):
        yield url


def ask(url: str, query: str, **parameters: str) -> httpx.Response:
    """POST a statement."""
    return httpx.post(url, params=parameters, content=query.encode(), timeout=60)


def code(answer: httpx.Response) -> int:
    """The exception's code; 0 for an answer that is none."""
    assert (answer.status_code == 200) == ("X-ClickHouse-Exception-Code" not in answer.headers)
    return int(answer.headers.get("X-ClickHouse-Exception-Code", 0))
