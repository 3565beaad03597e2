"""`events post` and the two examples against the whole stack, with answers that get lost on the way."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tests.builders import an_event, many_events
from tests.processes import served
from tests.stack import Stack, eventually

ROOT = Path(__file__).parents[2]
EXAMPLES = {
    "python": [sys.executable, "examples/post_batch.py"],
    "curl": ["bash", "examples/post_batch.sh"],
}


@contextlib.contextmanager
def losing_answers(api: str, lost: list[str]) -> Iterator[str]:
    """A proxy that passes each request on, and keeps the first answer for every key to itself."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        headers = {n: v for n, v in request.headers.items() if n not in ("host", "content-length")}
        body = await request.body()
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.post(f"{api}{request.url.path}", content=body, headers=headers)
        key = request.headers["idempotency-key"]
        if key not in lost:
            lost.append(key)
            await Response(b"cut", 201, {"Content-Length": "1000"})(scope, receive, send)
            return
        response = Response(answer.content, answer.status_code, media_type="application/json")
        await response(scope, receive, send)

    with served(app) as url:
        yield url


def run(argv: list[str], stack: Stack, tenant: str, api: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        "TOKEN": stack.headers(tenant)["Authorization"].removeprefix("Bearer "),
        "EVENTS_API": api,
        "EVENTS_TENANT": tenant,
    }
    return subprocess.run(
        argv, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


def stored(stack: Stack, tenant: str) -> list[int]:
    counts = "toUInt32(count()), toUInt32(uniqExact(id))"
    return stack.sql(f"SELECT {counts} FROM events FINAL WHERE tenant = '{tenant}'")[0]


def other_home(stack: Stack, api: str, folder: Path) -> Path:
    """A home folder that names `api`, with the stack's issuer and its secret."""
    (folder / "issuer").mkdir()
    (folder / "issuer" / "client_secret").write_text(
        (stack.home / "issuer" / "client_secret").read_text()
    )
    known = json.loads((stack.home / "state.json").read_text())["endpoints"]
    (folder / "state.json").write_text(json.dumps({"endpoints": known | {"api": api}}))
    return folder


def test_many_events_are_stored_once_though_every_first_answer_is_lost(
    stack: Stack, tenant: str, tmp_path: Path
) -> None:
    file, lost = tmp_path / "events.ndjson", list[str]()
    file.write_text("\n".join(many_events(2500)))
    with losing_answers(stack.api, lost) as api:
        home = other_home(stack, api, tmp_path)
        post = [sys.executable, "-m", "cli", "post", str(file), "--idempotency-key", "k"]
        argv = [*post, "--tenant", tenant, "--home", str(home)]
        for retried in (3, 0):  # the second run is one after a crash
            done = run(argv, stack, tenant, api)
            assert done.returncode == 0, done.stderr
            assert f"2,500 accepted, 0 rejected, {retried} retried" in done.stderr
            assert done.stdout == ""
    assert sorted(lost) == ["k-1", "k-2", "k-3"]
    eventually(lambda: stored(stack, tenant), until=lambda counts: counts == [2500, 2500])


def test_a_refused_event_is_named_by_line_and_field(
    stack: Stack, tenant: str, tmp_path: Path
) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text("\n".join(map(json.dumps, [an_event(), an_event(event_type="X"), an_event()])))
    post = [sys.executable, "-m", "cli", "post", str(file), "--tenant", tenant]
    done = run([*post, "--home", str(stack.home)], stack, tenant, stack.api)
    assert done.returncode == 1
    assert "line 2: 405 1 field broke the contract. /event_type " in done.stderr
    assert "2 accepted, 1 rejected" in done.stderr


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_stores_every_event_once_though_the_first_answer_is_lost(
    stack: Stack, tenant: str, tmp_path: Path, example: str
) -> None:
    file, lost = tmp_path / "events.ndjson", list[str]()
    file.write_text("\n".join(many_events(1200)))
    with losing_answers(stack.api, lost) as api:
        done = run([*EXAMPLES[example], str(file), "name"], stack, tenant, api)
    assert done.returncode == 0, done.stderr
    assert len(lost) == (2 if example == "python" else 1)
    eventually(lambda: stored(stack, tenant), until=lambda counts: counts == [1200, 1200])
