"""Attacks with the body of a POST: little that becomes much, or takes long to be understood."""

import base64
import gzip
import json
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import TypeAlias

import pytest
import zstandard

from tests.attacks.neighbour import neighbour, unharmed
from tests.attacks.table import PATH, SUBSCRIPTIONS, Attacker, Case, Door, attack, post, run
from tests.builders import a_payload, an_event
from tests.stack import eventually

BATCH = f"{PATH}:batch"
LIMIT = 16 * 1024 * 1024
NDJSON = {"Content-Type": "application/x-ndjson"}
ZSTD, GZIP = {"Content-Encoding": "zstd"}, {"Content-Encoding": "gzip"}
EVENT = json.dumps(an_event()).encode()
Body: TypeAlias = bytes | Callable[[], bytes]
"""What is large is made when it is sent: every worker reads this file, one runs it."""


def batch(body: Body, headers: dict[str, str] | None = None) -> Callable[[Attacker], object]:
    """As NDJSON, unless other `headers` say otherwise."""

    def send(attacker: Attacker) -> None:
        made = body if isinstance(body, bytes) else body()
        attacker.send(attacker.door.post(made, BATCH, headers=NDJSON | (headers or {})))

    return send


def array(body: Body, headers: dict[str, str] | None = None) -> Callable[[Attacker], object]:
    """As a JSON array."""
    return batch(body, {"Content-Type": "application/json"} | (headers or {}))


def subscription(body: bytes) -> Callable[[Attacker], object]:
    """To be created."""
    return post(body, SUBSCRIPTIONS)


def attributes(members: bytes) -> bytes:
    """An event whose attributes are these."""
    event = an_event(event_payload=a_payload(key_attributes={"-": ""}))
    return json.dumps(event).encode().replace(b'{"-": ""}', b"{" + members + b"}")


def large_event() -> bytes:
    """Half a megabyte."""
    payload = base64.b64encode(json.dumps("n" * 375_000).encode()).decode()
    return json.dumps(
        an_event(event_payload=a_payload(base64_encoded_payload_json=payload))
    ).encode()


def members(count: int, value: str = '""') -> bytes:
    return ",".join(f'"{number}":{value}' for number in range(count)).encode()


def blank() -> bytes:
    return b"\n" * (LIMIT - 100)


def bomb() -> bytes:
    return zstandard.ZstdCompressor(level=1).compress(b"\n" * 1_000_000_000)


MANY_FAULTS = b"{" + members(200, "1") + b"}\n"

CASES = (
    Case("16 MB of line ends", batch(blank), 405, costs=True),
    Case(
        "531 bytes of line ends", batch(lambda: zstandard.compress(blank()), ZSTD), 405, costs=True
    ),
    Case("a GB of line ends", batch(bomb, ZSTD), 413, costs=True),
    Case(
        "lines of a blank",
        batch(lambda: zstandard.compress(b" \n" * 8_000_000), ZSTD),
        405,
        costs=True,
    ),
    Case(
        "one blank line",
        batch(lambda: zstandard.compress(b" " * 16_000_000), ZSTD),
        405,
        costs=True,
    ),
    Case("blanks in an array", array(lambda: b"[" + b" " * 16_000_000 + b"]"), 405, costs=True),
    Case(
        "blanks behind an event", array(lambda: b"[{}" + b" " * 16_000_000 + b"]"), 413, costs=True
    ),
    Case("braces and blanks", array(lambda: b"[" + b"}" * 9 + b" " * 16_000_000), 400, costs=True),
    Case("8 million numbers", array(lambda: b"[" + b"0," * 8_000_000 + b"0]"), 413, costs=True),
    Case("empty places", array(lambda: b"[" + b"," * 16_000_000 + b"]"), 400, costs=True),
    Case("one event of 16 MB", array(lambda: b'["' + b"a" * 16_000_000 + b'"]'), 413, costs=True),
    Case("borders in a text", array(lambda: b'["' + b"}," * 8_000_000 + b'"]'), 413, costs=True),
    Case(
        "5 million lists in one",
        array(lambda: b"[[" + b"[]," * 5_000_000 + b"0]]"),
        413,
        costs=True,
    ),
    Case("empty gzip members", batch(lambda: gzip.compress(b"") * 800_000, GZIP), 413, costs=True),
    Case(
        "empty zstd frames",
        batch(lambda: zstandard.compress(b"") * 1_800_000, ZSTD),
        413,
        costs=True,
    ),
    Case("10,000 events of many faults", batch(lambda: MANY_FAULTS * 7_000), 405, costs=True),
    Case("100,000 attributes", post(attributes(members(90_000))), 405, costs=True),
    Case("attributes that are numbers", post(attributes(members(98_000, "1"))), 405, costs=True),
    Case(
        "a repeated attribute",
        post(attributes(members(16_000) + b',"9":""')),
        405,
        costs=True,
    ),
    Case("one attribute repeated", post(attributes(b'"a":"",' * 99_999 + b'"a":""')), 405, True),
    Case("unknown fields", post(b"{" + members(90_000, "1") + b"}"), 405, costs=True),
    Case("lists in a field", post(b'{"a":[' + b"[]," * 300_000 + b"[]]}"), 405, costs=True),
    Case(
        "a subscription of unknown fields",
        post(b"{" + members(6_000, "1") + b"}", SUBSCRIPTIONS),
        405,
        costs=True,
    ),
    Case(
        "a subscription to many events",
        post(b'{"filter":{"entity_id":[' + b"1," * 30_000 + b"1]}}", SUBSCRIPTIONS),
        405,
        costs=True,
    ),
    Case("UTF-16", batch(EVENT, {"Content-Type": "application/json; charset=utf-16"}), 415),
    Case("a byte order mark", post(b"\xef\xbb\xbf" + EVENT), 201),
    Case("a mark before lines", batch(b"\xef\xbb\xbf" + EVENT), 201),
    Case("a mark before an array", array(b"\xef\xbb\xbf[" + EVENT + b"]"), 201),
    Case("a packed mark", batch(gzip.compress(b"\xef\xbb\xbf" + EVENT), GZIP), 201),
    Case("gzip and more", batch(gzip.compress(EVENT) + b"more", GZIP), 400),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_attack(case: Case, door: Door) -> None:
    run(case, door)


@pytest.mark.parametrize("depth", [100, 1_000, 10_000])
@pytest.mark.parametrize(
    "start", [b"[", b'{"a":', b"[{},", b'[{"a":', b'{"event_payload":{"key_attributes":{"a":']
)
@pytest.mark.parametrize("send", [post, batch, array, subscription])
def test_what_is_nested_too_deeply_is_a_bad_request(
    send: Callable[[bytes], Callable[[Attacker], object]], start: bytes, depth: int, door: Door
) -> None:
    nested = start + (b"[" if start.startswith(b"[") else b'{"a":') * depth
    assert attack(Case("nested", send(nested), 400), door) in (400, 405)


def test_bodies_that_do_not_come_hold_no_memory_and_nobody_up(door: Door) -> None:
    """300 MB are declared, 300 bytes sent; the limit is 256 MiB of requests in hand."""
    request = door.post(b" " * 1_000_000)
    start = request[: len(request) - 999_999]
    with ExitStack() as stack, neighbour(door.port, door.post(tenant="neighbour")) as other:

        def open_one() -> None:
            connection = socket.create_connection(("127.0.0.1", door.port), timeout=60)
            stack.enter_context(connection).sendall(start)

        for _ in range(300):
            open_one()
        unharmed(other, open_one)


def test_bodies_that_stall_before_their_end_leave_room_for_another_tenant(door: Door) -> None:
    """270 MB are sent, a kilobyte short of 270 events; the limit is 256 MiB of requests in hand."""
    request = door.post(b" " * 1_000_000)[:-1_000]
    large = door.post(large_event(), tenant="neighbour")
    refused = 'events_http_refusals_total{reason="memory of a tenant"}'
    with ExitStack() as stack, neighbour(door.port, door.post(tenant="neighbour")) as other:
        for _ in range(270):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", door.port), 60))
            with suppress(ConnectionError):
                connection.sendall(request)
        eventually(lambda: door.measured(refused), until=lambda count: count > 100)
        assert attack(Case("half a megabyte", lambda each: each.send(large), 201), door) == 201
        unharmed(other, lambda: None)
