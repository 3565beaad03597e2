"""An edge under pressure: bounded memory, tenants apart, workers that share a port."""

import asyncio
import contextlib
import gzip
import json
import socket
import threading
from typing import Any

import httpx
import psutil
import pytest
import uvloop

from bench import load
from tests.attacks.neighbour import MEASURED
from tests.builders import an_event
from tests.edge import edge
from tests.stack import Stack, eventually

PATH = "/api/v1/events"
ROUNDS, QUIET_S = (3, 1.5) if MEASURED else (1, 0.3)


def a_request(stack: Stack, tenant: str) -> bytes:
    return load.request("POST", PATH, stack.headers(tenant), json.dumps(an_event()).encode())


def posted(port: int, request: bytes, connections: int, seconds: float) -> load.Result:
    return uvloop.run(load.run(port, [request], connections, seconds))


def test_a_tenant_that_floods_does_not_touch_another(stack: Stack, tenant: str) -> None:
    quiet, noisy = a_request(stack, tenant), a_request(stack, f"{tenant}-noisy")
    ratios, flooded = [], load.Result()
    noisy_rate = (
        {"events_per_s": 300, "burst_s": 20} if MEASURED else {"events_per_s": 50, "burst_s": 1}
    )
    rates = json.dumps({f"{tenant}-noisy": noisy_rate})
    with edge(stack, TENANT_RATES=rates) as (port, _):
        posted(port, quiet, 1, 0.5)
        for _ in range(ROUNDS):
            alone = posted(port, quiet, 1, QUIET_S)
            flood = threading.Thread(
                target=lambda: flooded.statuses.update(
                    posted(port, noisy, 64, 2 * QUIET_S).statuses
                )
            )
            flood.start()
            beside = posted(port, quiet, 1, QUIET_S)
            flood.join(60)
            assert set(alone.statuses) == set(beside.statuses) == {201}
            ratios.append(beside.quantile_ms(0.99) / alone.quantile_ms(0.99))
    assert flooded.statuses[429] > 0
    assert not MEASURED or min(ratios) <= 2, (
        f"p99 of the quiet tenant beside the flood, to alone: {ratios}"
    )


def test_a_refused_tenant_is_told_its_rate(stack: Stack, tenant: str) -> None:
    rates = json.dumps({tenant: {"events_per_s": 1, "burst_s": 1}})
    with edge(stack, TENANT_RATES=rates) as (port, _), stack.client(tenant) as client:
        url = f"http://127.0.0.1:{port}{PATH}"
        assert client.post(url, json=an_event()).status_code == 201
        refused = client.post(url, json=an_event())
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["RateLimit"] == '"events";r=0;t=1'
    assert refused.headers["RateLimit-Policy"].startswith('"events";q=1;w=1')
    assert int(refused.headers["Retry-After"]) >= 1


@pytest.mark.long
async def test_under_overload_what_was_acknowledged_is_what_is_stored(
    stack: Stack, tenant: str
) -> None:
    body = json.dumps(an_event())

    async def overload(port: int) -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=64)
        url = f"http://127.0.0.1:{port}{PATH}"
        headers = stack.headers(tenant)
        timeout = httpx.Timeout(60, pool=300)  # most wait for a connection
        async with httpx.AsyncClient(headers=headers, limits=limits, timeout=timeout) as client:
            answers = await asyncio.gather(*(client.post(url, content=body) for _ in range(500)))
        return list(answers)

    with edge(stack, IN_FLIGHT_BYTES_MAX="1024") as (port, _):
        answers = await overload(port)
    assert {answer.status_code for answer in answers} == {201, 503}
    assert all(answer.headers["Retry-After"] for answer in answers if answer.status_code == 503)
    acknowledged = {answer.json()["id"] for answer in answers if answer.status_code == 201}

    def stored() -> set[str]:
        return {row[0] for row in stack.sql(f"SELECT id FROM events WHERE tenant = '{tenant}'")}

    assert eventually(stored, until=lambda ids: len(ids) >= len(acknowledged)) == acknowledged


def head(stack: Stack, tenant: str, length: int) -> bytes:
    """A request without its body."""
    lines = [f"POST {PATH} HTTP/1.1", "Host: edge", f"Content-Length: {length}"]
    lines += [f"{name}: {text}" for name, text in stack.headers(tenant).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def test_a_request_for_which_there_is_no_room_is_refused_before_its_body(
    stack: Stack, tenant: str
) -> None:
    with edge(stack, IN_FLIGHT_BYTES_MAX="600000") as (port, _):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as first:
            first.sendall(head(stack, tenant, 500_000) + b" " * 499_999)
            answer = eventually(lambda: _answer_to(port, head(stack, tenant, 500_000)), until=bool)
            assert answer.startswith(b"HTTP/1.1 503")
            assert b"retry-after" in answer
        eventually(lambda: httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200)
        with stack.client(tenant) as client:
            eventually(
                lambda: client.post(f"http://127.0.0.1:{port}{PATH}", json=an_event()).status_code,
                until=lambda status: status == 201,
            )


def _answer_to(port: int, request: bytes) -> bytes:
    """What comes before the body is sent, within a moment."""
    with socket.create_connection(("127.0.0.1", port), timeout=0.5) as connection:
        connection.sendall(request)
        with contextlib.suppress(TimeoutError):
            return connection.recv(4096)
        return b""


def test_workers_share_a_port_and_one_that_dies_is_replaced(stack: Stack, tenant: str) -> None:
    def works(child: psutil.Process) -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):  # since it was listed
            is_zombie = child.status() == psutil.STATUS_ZOMBIE
            return not is_zombie and "spawn_main" in " ".join(child.cmdline())
        return False

    def workers(pid: int) -> dict[int, Any]:
        return {child.pid: child for child in psutil.Process(pid).children() if works(child)}

    with edge(stack, HTTP__WORKERS="2") as (port, pid), stack.client(tenant) as client:
        before = eventually(lambda: workers(pid), until=lambda found: len(found) == 2)
        url = f"http://127.0.0.1:{port}{PATH}"
        assert {client.post(url, json=an_event()).status_code for _ in range(20)} == {201}
        next(iter(before.values())).kill()
        eventually(
            lambda: workers(pid),
            until=lambda found: len(found) == 2 and found.keys() != before.keys(),
        )

        def accepted() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return client.post(url, json=an_event()).status_code == 201
            return False

        eventually(accepted)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_batch_costs_its_tenant_every_event(stack: Stack, tenant: str, encoding: str) -> None:
    lines = b"\n".join(json.dumps(an_event()).encode() for _ in range(50))
    body = gzip.compress(lines) if encoding == "gzip" else lines
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": encoding}
    with (
        edge(stack, TENANT_RATE__EVENTS_PER_S="10", TENANT_RATE__BURST_S="1") as (port, _),
        stack.client(tenant) as client,
    ):
        url = f"http://127.0.0.1:{port}{PATH}:batch"
        assert client.post(url, content=body, headers=headers).status_code == 201
        refused = client.post(url, content=body, headers=headers)
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 4
