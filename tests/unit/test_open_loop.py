"""The open loop against a server of the test: what it counts, and what it does not hide."""

import asyncio

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.load import request
from bench.open_loop import OpenLoop, arrivals
from tests.processes import served

ANSWER_S = 0.05
REQUESTS = [request("POST", "/", {})]


def answering(headers: list[tuple[bytes, bytes]]) -> ASGIApp:
    """A server that takes `ANSWER_S` for each answer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(ANSWER_S)
        start = {"type": "http.response.start", "status": 201}
        await send(start | {"headers": [(b"content-length", b"2"), *headers]})
        await send({"type": "http.response.body", "body": b"{}"})

    return app


def run(
    due_s: list[float], connections: int, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> list[tuple[int, int, bytes, float]]:
    """The answers: number, status, body, seconds since the load began."""
    found = []

    def answered(number: int, status: int, body: bytes, now_s: float) -> None:
        found.append((number, status, body, now_s))

    async def story(port: int) -> list[tuple[int, int, bytes, float]]:
        posts = OpenLoop(REQUESTS, due_s, answered)
        await posts.run(port, connections)
        assert posts.ended_s == max(now_s for *_, now_s in found)
        return [(n, status, body, s - posts.began_s) for n, status, body, s in found]

    with served(answering(list(headers))) as url:
        return asyncio.run(story(int(url.rpartition(":")[2])))


def test_a_request_that_found_every_connection_busy_waits_and_the_wait_counts() -> None:
    answers = run([0.0, 0.0, 0.0], connections=1)
    assert [answer[:3] for answer in answers] == [(n, 201, b"{}") for n in range(3)]
    for number, _, _, after_s in answers:
        assert after_s >= (number + 1) * ANSWER_S * 0.9  # the event loop's clock is coarse


def test_no_request_goes_out_before_its_time() -> None:
    due_s = [0.0, 0.2]
    answers = run(due_s, connections=2)
    assert len(answers) == 2
    for number, _, _, after_s in answers:
        assert after_s >= due_s[number] + ANSWER_S * 0.9


def test_a_connection_that_the_server_closes_fails_the_run() -> None:
    with pytest.raises(ConnectionError):
        run([0.0, 0.5], connections=1, headers=((b"connection", b"close"),))


def test_arrivals_are_as_many_as_asked_for_in_order_and_the_same_in_every_run() -> None:
    times = arrivals(200, 3)
    assert len(times) == 600
    assert times == sorted(times) == arrivals(200, 3)
    assert 0 <= times[0] <= times[-1] <= 3
