"""A connection on a real server: requests in turn, refusals in turn, deadlines, room."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

import service.http.door
import service.http.protocol
from service.connections import Http
from service.http.app import asgi_app, serving
from service.http.asgi import Receive, Scope, Send, read_body, respond
from service.http.door import Door
from service.http.protocol import PIPELINE_MAX
from tests.processes import free_port

HOST = "127.0.0.1"
WITHIN_S = 30
GET = b"GET /echo HTTP/1.1\r\nHost: here\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: here\r\n"
Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await read_body(receive, 10_000_000)
    await respond(send, 200, [(b"x-count", str(len(scope["headers"])).encode())], body)


async def nothing() -> list[str]:
    return []


APP = asgi_app({"/echo": {"GET": echo, "POST": echo}}, nothing, contextlib.nullcontext)


@contextlib.asynccontextmanager
async def connected(door: Door) -> AsyncIterator[tuple[int, Door]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service.http.protocol, "Door", lambda: door)
        patch.setattr(service.http.door, "SWEEP_S", 0.02)
        port = free_port()
        async with serving(APP, HOST, port):
            yield port, door


def answers(*parts: bytes, limits: Http | None = None) -> list[bytes]:
    """What comes for `parts`, each sent when the one before is on its way, until the end."""

    async def converse() -> bytes:
        async with connected(Door(limits)) as (port, _):
            reader, writer = await asyncio.open_connection(HOST, port)
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
            answer = await asyncio.wait_for(reader.read(), WITHIN_S)
            writer.close()
        return answer

    return re.split(rb"(?=HTTP/1\.1 \d)", asyncio.run(converse()))[1:]


CLOSE = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


def statuses(found: list[bytes]) -> list[int]:
    return [int(answer[9:12]) for answer in found]


def test_many_requests_at_once_are_all_answered_in_their_order() -> None:
    count = 50 * PIPELINE_MAX
    requests = [POST + b"Content-Length: %d\r\n\r\n" % size + b"x" * size for size in range(count)]
    found = answers(b"".join(requests), CLOSE)
    assert statuses(found) == [200] * (count + 1)
    sizes = [len(answer.partition(b"\r\n\r\n")[2]) for answer in found]
    assert sizes == [*range(count), 0]


def test_a_refusal_waits_for_the_answers_before_it() -> None:
    found = answers(GET * 40 + b"nonsense\r\n\r\n" + GET)
    assert statuses(found) == [200] * 40 + [400]
    assert b"application/problem+json" in found[-1]
    assert b"connection: close" in found[-1]


def test_a_request_that_turns_out_wrong_while_it_waits_is_refused_in_its_turn() -> None:
    wrong = POST + b"Transfer-Encoding: chunked\r\n\r\nnonsense"
    assert statuses(answers(GET * 3 + wrong)) == [200] * 3 + [400]
    assert statuses(answers(wrong)) == [400]


def test_trailers_are_not_headers() -> None:
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nAuthorization: x\r\n\r\n"
    first, _ = answers(chunked, CLOSE)
    assert b"x-count: 2" in first
    assert first.endswith(b"abc")
    many = b"3\r\nabc\r\n0\r\n" + b"A: b\r\n" * 101 + b"\r\n"
    assert statuses(answers(POST + b"Transfer-Encoding: chunked\r\n\r\n" + many)) == [431]


@pytest.mark.parametrize("cut", [0, 1, 3])
def test_an_upgrade_is_ignored_and_the_body_is_not(cut: int) -> None:
    """As Java's client asks for HTTP/2 (RFC 9110 section 7.8)."""
    offer = b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\n"
    first, second = answers(POST + offer + b"body"[:cut], b"body"[cut:] + CLOSE)
    assert first.endswith(b"\r\n\r\nbody")
    assert second.startswith(b"HTTP/1.1 200")


SHORT = Http(silence_s=0.2, keep_alive_s=0.3, body_bytes_per_s=1000)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", []),
        (b"\r\n", [408]),
        (b"GET / HT", [408]),
        (GET, [200]),
        (GET + b"GET / HT", [200, 408]),
        (POST + b"Content-Length: 5\r\n\r\nabc", [408]),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", [408]),
    ],
)
def test_a_client_that_keeps_us_waiting_is_told_and_dropped(
    sent: bytes, expected: list[int]
) -> None:
    assert statuses(answers(sent, limits=SHORT)) == expected


async def test_one_connection_too_many_is_answered_and_room_comes_back() -> None:
    async def converse() -> list[bytes]:
        found = []
        async with connected(Door(Http(connections_max=1))) as (port, door):
            first, writer = await asyncio.open_connection(HOST, port)
            writer.write(GET)
            found.append(await first.readline())
            second, surplus = await asyncio.open_connection(HOST, port)
            found.append(await asyncio.wait_for(second.readline(), WITHIN_S))
            for each in (writer, surplus):
                each.close()
                await each.wait_closed()
            async with asyncio.timeout(WITHIN_S):
                while found[-1].split()[1] != b"200":
                    reader, writer = await asyncio.open_connection(HOST, port)
                    writer.write(GET)
                    found.append(await reader.readline())
                    writer.close()
            assert door.requests.refused["connections"] >= 1
        return found

    assert statuses(await converse())[:2] == [200, 503]
