"""What every HTTP service here does the same way, below any framework: ASGI headers in, ASGI answers out.

Pure functions over the ASGI messages (https://asgi.readthedocs.io), so that ingest and query share
one reading of the request headers and one form of answer without sharing a server.
"""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import unquote_plus

from contracts.problems import CONTENT_TYPE as PROBLEM_JSON
from contracts.problems import Problem

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]
Arriving = Callable[[AsyncIterator[bytes], int, str], AsyncIterator[bytes]]
"""Counts the parts of a tenant's body that come after so many bytes, and passes them on."""

JSON = b"application/json"
SINGLE = frozenset(
    (
        *(b"authorization", b"x-twc-tenant", b"content-type", b"content-encoding"),
        *(b"idempotency-key", b"if-match"),
    )
)


def single_headers(scope: Scope) -> dict[bytes, bytes]:
    """The request's headers by lower-case name; `named` in the scope when the server has them so already.

    Raises `Problem` 400 when a header that we act on comes twice: which one counts would be a guess
    that a proxy in front of us may make differently.
    """
    raw = scope["headers"]
    headers: dict[bytes, bytes] = scope.get("named") or dict(raw)
    if len(headers) != len(raw):
        names = [name for name, _ in raw]
        for name in SINGLE & headers.keys():
            if names.count(name) > 1:
                raise Problem(
                    400, f"The header {name.decode()} came {names.count(name)} times; send it once."
                )
    return headers


def refuse_token_in(query: bytes) -> None:
    """Raise `Problem` 400 for an access token in the query string (RFC 6750 section 2.3).

    It stands in the logs of every proxy on the way, and beside a header two tokens would be a guess.
    """
    if b"token" in query or b"%" in query:
        names = (pair.partition("=")[0] for pair in query.decode("latin-1").split("&"))
        if "access_token" in map(unquote_plus, names):
            raise Problem(
                400,
                "Send the token in the Authorization header, not in the query string.",
                headers={"WWW-Authenticate": 'Bearer realm="events", error="invalid_request"'},
            )


def require_json(
    headers: dict[bytes, bytes], media_type: bytes = JSON, accept: str = "Accept-Post"
) -> None:
    """Raise `Problem` 415 unless the body is declared as UTF-8 JSON without an encoding of its own.

    With another `media_type` it is that one; the header `accept` tells it.
    """
    declared = headers.get(b"content-type", b"")
    if declared != media_type and utf8_media_type(declared) != media_type:
        name = media_type.decode()
        raise Problem(
            415,
            f"Content-Type must be {name} in UTF-8"
            + (f", not {declared[:80].decode('latin-1')!r}." if declared else "; it is missing."),
            headers={accept: name},
        )
    encoding = headers.get(b"content-encoding", b"identity")
    if encoding != b"identity":
        raise Problem(
            415,
            "This resource takes no Content-Encoding.",
            headers={"Accept-Encoding": "identity"},
        )


def utf8_media_type(content_type: bytes) -> bytes:
    """The media type that a Content-Type names, in lower case; b"" when its text is not UTF-8."""
    media_type, *parameters = content_type.lower().split(b";")
    for parameter in parameters:
        name, _, charset = parameter.partition(b"=")
        if name.strip() == b"charset" and charset.strip().strip(b'"') != b"utf-8":
            return b""
    return media_type.strip()


def declared_bytes(headers: dict[bytes, bytes], limit_bytes: int) -> int | None:
    """What Content-Length says; None without it. Raises `Problem` 413 when it passes the limit."""
    declared = headers.get(b"content-length")
    if declared is None:
        return None
    size = int(declared)  # digits: the server has checked it
    if size > limit_bytes:
        raise too_large(size, limit_bytes)
    return size


async def read_parts(receive: Receive, limit_bytes: int, size: int = 0) -> AsyncIterator[bytes]:
    """The request body as it arrives, after `size` bytes of it; raises as `read_body` does."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _gone()
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit_bytes:
            raise too_large(size, limit_bytes)
        more = message.get("more_body", False)
        yield part


async def read_body(
    receive: Receive, limit_bytes: int, arriving: Arriving | None = None, tenant: str = ""
) -> bytes:
    """The whole request body, at most `limit_bytes`; what follows its first part goes through `arriving`.

    Raises `Problem` 413 as soon as the received size passes the limit, and 400 when the client goes
    away before its body is complete. The server ends the connection of a client that sends too slowly.
    """
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        if len(body) > limit_bytes:
            raise too_large(len(body), limit_bytes)
        parts = read_parts(receive, limit_bytes, len(body))
        rest = [part async for part in (arriving(parts, len(body), tenant) if arriving else parts)]
        return b"".join((body, *rest))
    if message["type"] == "http.disconnect":
        raise _gone()
    if len(body) > limit_bytes:
        raise too_large(len(body), limit_bytes)
    return body


def _gone() -> Problem:
    return Problem(
        400, "The connection was closed before the body was complete.", reason="disconnected"
    )


def too_large(size_bytes: int, limit_bytes: int) -> Problem:
    """413 that names the computed size and the limit, both in bytes."""
    return Problem(
        413,
        f"The body has {size_bytes:,} bytes or more; the limit is {limit_bytes:,} bytes.",
        extra={"size": size_bytes, "limit": limit_bytes},
    )


Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
Resources = dict[str, dict[str, Handler]]
"""Handlers by path and method: what a service serves, before a router is built from it."""


class Resource:
    """An ASGI application for one path: the method's handler, or the problem that it raised.

    HEAD is answered as GET is, without the body, which the server leaves out (RFC 9110 section 9.3.2).
    """

    def __init__(self, handlers: dict[str, Handler]) -> None:
        self._handlers = handlers
        if "GET" in handlers:
            self._handlers = {"HEAD": handlers["GET"], **handlers}
        self._allow = ", ".join(sorted(self._handlers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            if scope.get("query_string"):
                refuse_token_in(scope["query_string"])
            handler = self._handlers.get(scope["method"])
            if handler is None:
                raise Problem(
                    405,
                    f"{scope['method'][:16]} is not allowed here; allowed: {self._allow}.",
                    headers={"Allow": self._allow},
                )
            await handler(scope, receive, send)
        except Problem as problem:
            if problem.status == 405:
                problem.headers["Allow"] = self._allow
            await refuse(scope, send, problem)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            await refuse(scope, send, Problem(500, "The request could not be handled."))


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application for every other path."""
    if scope["type"] == "http":
        await refuse(scope, send, Problem(404, "There is no such resource."))


async def refuse(scope: Scope, send: Send, problem: Problem) -> None:
    """Answer with `problem`, counted by its reason where the server counts."""
    if (door := scope.get("state", {}).get("door")) is not None:
        door.requests.refused[problem.reason] += 1
    await respond_problem(send, problem)


async def respond_ready(send: Send, waiting_for: list[str]) -> None:
    """200 when `waiting_for` is empty, else 503 that names what is not there."""
    body = json.dumps({"ready": not waiting_for, "waiting_for": waiting_for}).encode()
    await respond(send, 503 if waiting_for else 200, [(b"content-type", JSON)], body)


async def respond(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    """Send one complete answer; `content-length` is added."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def respond_problem(send: Send, problem: Problem) -> None:
    """Send a `Problem` as application/problem+json with its headers."""
    headers = [(b"content-type", PROBLEM_JSON.encode())]
    headers += [(name.lower().encode(), text.encode()) for name, text in problem.headers.items()]
    await respond(send, problem.status, headers, problem.body())
