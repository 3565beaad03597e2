"""HTTP/1.1 from clients that may be hostile, on httptools: limits and deadlines before anything costs.

A head is limited while it is read, trailers are counted and dropped, requests that wait on one
connection are few, and what is refused is answered with a problem in its turn. The ASGI side of a
request is uvicorn's. Sections are of RFC 9112 where no other is named.
"""

import asyncio
import logging
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from contracts.problems import Problem
from service.http import heads
from service.http.door import Connection, Door
from service.http.patience import Patience, Phase, Seen
from service.http.transport import Whole
from service.http.turns import Turns

PIECE_BYTES = 8 * 1024
"""What is parsed at once outside a body, which may hold some hundred requests."""
PIPELINE_MAX = 16
"""Requests that wait on one connection for the answer before theirs; then it is not read (section 9.3.2)."""
DISCARDED_BYTES_MAX = 1024 * 1024
"""What is read and dropped after the last answer, so that a client that still sends sees it (section 9.6)."""
LOG = logging.getLogger("uvicorn.error")
SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "scheme": "http",
    "root_path": "",
}


class GuardedHttp(asyncio.Protocol):
    """One connection. `look` is called by the sweep of its `Door`."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._app, self._server = config.loaded_app, server_state
        self._connections = cast("set[Connection]", server_state.connections)
        self._app_state = app_state
        # a server without a lifespan has no door of its own making: its connections share one
        self._door: Door = app_state.get("door") or app_state.setdefault("door", Door())
        self._parser: Any = httptools.HttpRequestParser(self)
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)  # it is dropped
        self._url = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._reading: Any = None  # the cycle whose body comes
        self._body_left = self._unframed = 0
        self._unparsed = b""
        self._pending = 0  # bytes since a head's end or a part of a body came
        self._received = self._requests = self._discarded = 0
        self._patience = Patience()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio`."""
        transport = cast("asyncio.Transport", transport)
        self._transport: Any = Whole(transport, asyncio.get_running_loop())
        counted = self._door.requests
        self._turns = Turns(self._server, self._app, counted, self._transport, self._go_on)
        self._flow = self._turns.flow
        server, client = get_local_addr(transport), get_remote_addr(transport)
        self._scope = {**SCOPE, "server": server, "client": client}
        self._connections.add(self)
        if refusal := self._door.enter(self._connections):
            self._turns.write(refusal)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio`. Requests that are not answered learn of it."""
        self._connections.discard(self)
        self._turns.gone()

    def pause_writing(self) -> None:
        """See `asyncio`."""
        self._flow.pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio`."""
        self._flow.resume_writing()

    def shutdown(self) -> None:
        """The server stops."""
        self._turns.end()

    def look(self, now_s: float) -> None:
        """See `Connection`."""
        unsent = self._transport.get_write_buffer_size()
        seen = Seen(self._phase(), self._requests, unsent, self._received)
        paused = seen.phase == "body" and self._flow.read_paused
        verdict = self._patience.look(seen, now_s, self._door.limits, waits_for_us=paused)
        if verdict == "refuse":
            late = f"The {seen.phase} of the request came too slowly."
            self._refuse(Problem(408, late, reason=f"slow {seen.phase}"))
        elif verdict:
            getattr(self._transport, verdict)()

    def _phase(self) -> Phase:
        if self._turns.leaving or self._transport.is_closing():
            return "leaving"
        if self._reading is not None:
            return "body"
        if self._turns.busy:
            return "answer"
        return "head" if self._pending else "idle"

    def data_received(self, data: bytes) -> None:
        """See `asyncio`. More than a piece is parsed piece by piece, while few requests wait."""
        self._received += len(data)
        if self._turns.refusal is not None:
            self._discarded += len(data)
            if self._discarded > DISCARDED_BYTES_MAX:
                self._transport.abort()
        elif len(data) <= PIECE_BYTES and not self._unparsed:
            self._parse(data)
        else:
            self._unparsed += data
            self._parse_pieces()

    def _parse_pieces(self) -> None:
        turns, data, at = self._turns, memoryview(self._unparsed), 0
        while at < len(data) and len(turns.waiting) < PIPELINE_MAX and turns.refusal is None:
            size = max(PIECE_BYTES, self._body_left)
            self._parse(data[at : at + size])
            at += size
        self._unparsed = b"" if turns.refusal is not None else bytes(data[at:])
        self._flow.held = bool(self._unparsed)
        if self._flow.held:
            self._flow.pause_reading()

    def _go_on(self) -> None:
        if self._unparsed:
            self._parse_pieces()
        self._flow.resume_reading()

    def _refuse(self, problem: Problem) -> None:
        self._turns.refuse(problem, self._reading)

    def _parse(self, data: bytes | memoryview) -> None:
        if self._unframed:
            data = self._take_unframed(data)
        self._pending += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:  # not taken up (RFC 9110 section 7.8)
            self._parse(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            cause = error.__context__
            malformed = Problem(400, f"This is not HTTP/1.1: {error}.", reason="malformed")
            self._refuse(cause if isinstance(cause, Problem) else malformed)
        else:
            if self._pending > heads.HEAD_BYTES_MAX:
                self._refuse(heads.head_too_large(self._pending))

    def _take_unframed(self, data: bytes | memoryview) -> bytes | memoryview:
        """Body that the parser leaves to whom the connection is upgraded to; what comes after it."""
        part = bytes(data[: self._unframed])
        self._unframed -= len(part)
        self.on_body(part)
        if not self._unframed:
            self.on_message_complete()
        return data[len(part) :]

    def on_message_begin(self) -> None:
        """A head begins. This and what follows: see httptools."""
        self._url, self._fields = b"", []
        self._requests += 1
        self._pending = 1

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header or trailer; blanks around its value are not part of it (section 5.1)."""
        self._fields.append((name.lower(), value.strip()))

    def on_headers_complete(self) -> None:
        """The request is answered now, or when those before it are."""
        version = self._parser.get_http_version()
        fields, self._fields = self._fields, []  # those of a trailer are no headers (section 7.1.2)
        named = heads.check_head(version, fields)
        path, raw_path, query = heads.target(self._url)
        self._body_left = int(named.get(b"content-length", b"0"))
        if b"upgrade" in named and self._parser.should_upgrade():
            if b"transfer-encoding" in named:
                raise Problem(501, "Upgrade with a chunked body is not taken.")
            self._unframed = self._body_left
        scope: Any = {
            **self._scope,
            "http_version": version,
            "method": self._parser.get_method().decode(),
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": fields,
            "named": named,
            "state": self._app_state.copy(),
        }
        cycle = RequestResponseCycle(
            scope=scope,
            transport=self._transport,
            flow=self._flow,
            logger=LOG,
            access_logger=LOG,
            access_log=False,
            default_headers=self._server.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=b"expect" in named and version == "1.1",
            keep_alive=version == "1.1" and self._parser.should_keep_alive(),
            on_response=self._turns.answered,
        )
        self._reading = cycle
        self._pending = 0
        self._turns.take(cycle)

    def on_body(self, body: bytes) -> None:
        """A part of it; it is dropped when the answer did not wait for it."""
        self._pending = 0
        self._body_left -= len(body)
        cycle = self._reading
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self._flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The body has ended."""
        if self._unframed:
            return
        if len(self._fields) > heads.FIELDS_MAX:
            raise heads.too_many_fields(len(self._fields))
        self._reading.more_body = False
        self._reading.message_event.set()
        self._reading = None
        self._pending = 0
