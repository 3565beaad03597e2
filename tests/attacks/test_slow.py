"""Clients that connect and then take their time: what they hold is given back, others do not feel it."""

import contextlib
import socket
from collections.abc import Iterator

import httpx
import psutil
import pytest

from tests.attacks.neighbour import neighbour, unharmed
from tests.attacks.table import PATH, Door, door_with
from tests.stack import Stack, eventually

CLIENTS = 200
DESCRIPTORS = 400
SHORT = {"EVENTS_HTTP__SILENCE_S": "1"}


@pytest.fixture(scope="module")
def hasty(stack: Stack) -> Iterator[Door]:
    with door_with(stack, SHORT) as door:
        yield door


def half_a_body(door: Door) -> bytes:
    request = door.post(b"{" + b" " * 99_999)
    return request[: -len(b" " * 50_000)]


def half_a_chunk(door: Door) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "Host: edge", "Transfer-Encoding: chunked"]
    lines += [f"{name}: {text}" for name, text in door.headers().items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\nff\r\n{"


WAITING = {
    "silent": lambda door: b"",
    "half a head": lambda door: b"GET /healthz HTTP/1.1\r\nHo",
    "blank lines": lambda door: b"\r\n",
    "half a body": half_a_body,
    "half a chunk": half_a_chunk,
}


@contextlib.contextmanager
def opened(door: Door, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """`count` connections, each of which has sent `sent`."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            each = socket.create_connection(("127.0.0.1", door.port), timeout=60)
            found.append(stack.enter_context(each))
            with contextlib.suppress(ConnectionError):
                each.sendall(sent)
        yield found


def until_closed(connection: socket.socket) -> bytes:
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(65536):
            answer += data
    return answer


@pytest.mark.parametrize("how", WAITING)
def test_all_are_dropped_and_a_neighbour_does_not_feel_them(how: str, hasty: Door) -> None:
    sent = WAITING[how](hasty)

    def hold() -> None:
        with opened(hasty, CLIENTS, sent) as clients:
            for each in clients:
                assert until_closed(each)[9:12] == (b"408" if sent else b"")

    with neighbour(hasty.port, hasty.post(tenant="neighbour")) as other:
        unharmed(other, hold)
    eventually(lambda: hasty.measured("events_in_hand_bytes"), until=lambda held: held == 0)


def test_when_descriptors_run_out_some_are_kept_and_the_surplus_is_told(stack: Stack) -> None:
    with (
        door_with(stack, module="tests.attacks.few_descriptors", argument=str(DESCRIPTORS)) as door,
        neighbour(door.port, door.post(tenant="neighbour")) as other,
    ):

        def crowd() -> None:
            with opened(door, DESCRIPTORS, b"") as clients:
                assert psutil.Process(door.pid).num_fds() < DESCRIPTORS - 64
                assert until_closed(clients[-1]).startswith(b"HTTP/1.1 503")

        unharmed(other, crowd)
        assert door.measured('events_http_refusals_total{reason="connections"}') > 0
        url = f"http://127.0.0.1:{door.port}/healthz"
        eventually(lambda: httpx.get(url).status_code == httpx.codes.OK)
