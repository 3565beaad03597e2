"""Attacks on the connection and on the head of a request: before there is a tenant."""

from collections.abc import Callable

import pytest

from tests.attacks.table import PATH, Attacker, Case, Door, run

GET = b"GET /healthz HTTP/1.1\r\nHost: edge\r\n"
END = b"\r\n"
POST = b"POST /healthz HTTP/1.1\r\nHost: edge\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def trailing(attacker: Attacker) -> None:
    """A trailer of 40 MB: of an event, since that is answered when its body has ended and no sooner."""
    fields = "".join(f"{name}: {text}\r\n" for name, text in attacker.door.headers().items())
    head = f"POST {PATH} HTTP/1.1\r\nHost: edge\r\n{fields}".encode()
    attacker.send(head + CHUNKED + END + b"2\r\n{}\r\n0\r\nA: " + b"a" * 40_000_000)


def smuggled(attacker: Attacker) -> None:
    """A chunked post without a token, which comes as a trailer."""
    fields = attacker.door.headers()
    late = ("Authorization", "X-TWC-Tenant")
    head = f"POST {PATH} HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\n".encode()
    trailers = "".join(f"{name}: {fields[name]}\r\n" for name in late).encode()
    attacker.send(head + CHUNKED + END + b"2\r\n{}\r\n0\r\n" + trailers + END)


def pipelined(attacker: Attacker) -> None:
    """20,000 requests at once, whose answers are not read before the last was sent."""
    attacker.send((GET + END) * 20_000 + GET + b"Connection: close\r\n" + END)
    while attacker.socket.recv(1 << 20):
        pass


def with_blanks(attacker: Attacker) -> None:
    """A post whose headers' values have blanks around them (RFC 9112 section 5.1)."""
    request = attacker.door.post()
    head, _, body = request.partition(b"\r\n\r\n")
    fields = b"\r\n".join(
        line.replace(b": ", b": \t ") + b" \t " for line in head.split(b"\r\n")[1:]
    )
    attacker.send(head.partition(b"\r\n")[0] + END + fields + b"\r\n\r\n" + body)


def many(start: bytes, one: bytes, count: int, end: bytes = b"") -> Callable[[Attacker], object]:
    """Much of one thing, made when it is sent: every worker reads this file, one runs it."""
    return lambda attacker: attacker.send(start + one * count + end)


CASES = (
    Case("nothing hostile", GET + END, 200, costs=True),
    # limits of a head (RFC 6585 section 5)
    Case("a head of 63 KiB", GET + b"A: " + b"a" * 63 * 1024 + END * 2, 200),
    Case("a head of 80 KiB", GET + b"A: " + b"a" * 80 * 1024 + END * 2, 431),
    Case("a head of 40 MB", many(GET + b"A: ", b"a", 40_000_000, END * 2), 431, costs=True),
    Case("a path of 40 MB", many(b"GET /", b"a", 40_000_000, b" HTTP/1.1\r\n"), 431, costs=True),
    Case("100 headers", GET + b"A: b\r\n" * 99 + END, 200),
    Case("101 headers", GET + b"A: b\r\n" * 100 + END, 431),
    Case("nothing but blank lines", many(b"", END, 10_000_000), 431, costs=True),
    Case("a trailer of 40 MB", trailing, 431),
    Case("20,000 pipelined requests", pipelined, None, costs=True),
    # a chunked body's trailers are not headers (section 7.1.2)
    Case("a token as a trailer", smuggled, 401),
    # framing (section 6.1) and what else a proxy may read in another way
    Case("a coding before chunked", POST + b"Transfer-Encoding: gzip, chunked\r\n" + END, 501),
    Case("a coding alone", POST + b"Transfer-Encoding: gzip\r\n" + END, 501),
    Case("chunked twice", POST + CHUNKED * 2 + END, 400),
    Case("chunked and a length", POST + CHUNKED + b"Content-Length: 3\r\n" + END, 400),
    Case("two lengths", POST + b"Content-Length: 3\r\n" * 2 + END, 400),
    Case("chunked in HTTP/1.0", b"POST / HTTP/1.0\r\n" + CHUNKED + END, 400),
    Case("a blank before the colon", b"GET / HTTP/1.1\r\nHost : edge\r\n" + END, 400),
    Case("a folded header", GET + b"A: b\r\n c\r\n" + END, 400),
    Case("lines that end in LF", b"GET / HTTP/1.1\nHost: edge\n\n", 400),
    # Host (section 3.2)
    Case("no Host", b"GET /healthz HTTP/1.1\r\n" + END, 400),
    Case("no Host in HTTP/1.0", b"GET /healthz HTTP/1.0\r\n" + END, 200),
    Case("two Hosts", GET + b"Host: edge\r\n" + END, 400),
    Case("a Host that is none", b"GET /healthz HTTP/1.1\r\nHost: a/b@c\r\n" + END, 400),
    Case("an IPv6 Host", b"GET /healthz HTTP/1.1\r\nHost: [::1]:8800\r\n" + END, 200),
    # versions (section 2.3)
    Case("HTTP/0.9", b"GET /healthz\r\n\r\n", 505),
    Case("HTTP/0.9 with a Host", b"GET /healthz\r\nHost: edge\r\n" + END, 505),
    Case("HTTP/2.0", b"GET /healthz HTTP/2.0\r\nHost: edge\r\n" + END, 505),
    Case("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    Case("TLS", bytes.fromhex("16030100a5010000a10303"), 400),
    # Expect (RFC 9110 section 10.1.1), blanks (section 5.1)
    Case("an unknown Expect", GET + b"Expect: 200-ok\r\n" + END, 417),
    Case("blanks around the values", with_blanks, 201),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_attack(case: Case, door: Door) -> None:
    run(case, door)
