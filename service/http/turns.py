"""The requests of one connection: answered one after another, in the order in which they came.

A client may send on without waiting (RFC 9112 section 9.3.2). Where it sends what is refused, those
before it get their answers, then the refusal is the last.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle
from uvicorn.server import ServerState

from contracts.problems import CONTENT_TYPE, Problem
from service.http.measures import Requests


class Flow(FlowControl):
    """Does not resume reading while what was read waits to be parsed."""

    held = False

    def resume_reading(self) -> None:
        """See `FlowControl`."""
        if self.read_paused and not self.held:
            super().resume_reading()


class Turns:
    """The request that is answered and those that wait; `go_on` is called when one has its answer.

    `transport`: a `Whole`, which has all that a transport has.
    """

    def __init__(
        self,
        server: ServerState,
        app: Any,
        requests: Requests,
        transport: Any,
        go_on: Callable[[], None],
    ) -> None:
        self._server = server
        self._app = app
        self._requests = requests
        self._transport = transport
        self._go_on = go_on
        self._loop = asyncio.get_running_loop()
        self._began_s = 0.0
        self._answering: Any = None  # the cycle whose task runs, or the last one
        self.flow = Flow(transport)
        self.waiting: deque[RequestResponseCycle] = deque()
        self.refusal: Problem | None = None
        self.leaving = False

    @property
    def busy(self) -> bool:
        """Whether a request has no answer yet."""
        return self._answering is not None and not self._answering.response_complete

    def take(self, cycle: RequestResponseCycle) -> None:
        """Answer it now, or when those before it are answered."""
        if self._answering is None or self._answering.response_complete:
            self._answer(cycle)
        else:
            self.flow.pause_reading()
            self.waiting.append(cycle)

    def _answer(self, cycle: RequestResponseCycle) -> None:
        self._answering = cycle
        self._began_s = time.monotonic()
        tasks = self._server.tasks
        task = self._loop.create_task(cycle.run_asgi(self._app))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def answered(self) -> None:
        """The request that was answered is done with. The sweep ends a connection on which none follows."""
        took_s = time.monotonic() - self._began_s
        method = self._answering.scope["method"]
        self._requests.answered(method, self._transport.status, took_s)
        if self._transport.is_closing():
            return
        if self.waiting:
            self._answer(self.waiting.popleft())
        elif self.refusal is not None:
            self._leave(self.refusal)
            return
        self._go_on()

    def refuse(self, problem: Problem, cut: RequestResponseCycle | None) -> None:
        """Take no more, answer `problem` in its turn, close; `cut` is a request that stays incomplete."""
        self.refusal = problem
        if cut is not None and cut is self._answering:
            if cut.response_started:  # it has its answer, or a part that cannot be taken back
                self._leave(None)
                return
            cut.disconnected = True
            cut.message_event.set()
        elif cut is not None:
            self.waiting.pop()
        if cut is self._answering or not self.busy:
            self._leave(problem)

    def _leave(self, problem: Problem | None) -> None:
        """Say it and wait for the client to close, so that it reads that (section 9.6)."""
        self.leaving = True
        if problem is not None:
            self.write(problem)
        self._transport.flush()
        self.flow.held = False
        self.flow.resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def write(self, problem: Problem) -> None:
        """Write an answer that no handler makes."""
        self._requests.refused[problem.reason] += 1
        body = problem.body()
        fields = [*self._server.default_headers, (b"content-type", CONTENT_TYPE.encode())]
        fields += [(name.lower().encode(), text.encode()) for name, text in problem.headers.items()]
        fields += [(b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        head = b"".join(b"%s: %s\r\n" % field for field in fields)
        self._transport.write(STATUS_LINE[problem.status] + head + b"\r\n" + body)

    def gone(self) -> None:
        """The client went: the request that is answered learns of it, the others are not begun."""
        self.waiting.clear()
        if self._answering is not None:
            self._answering.disconnected |= not self._answering.response_complete
            self._answering.message_event.set()
        self.flow.resume_writing()

    def end(self) -> None:
        """The server stops: close when there is nothing to answer, else after that."""
        if self.busy:
            (self.waiting[-1] if self.waiting else self._answering).keep_alive = False
        else:
            self._transport.close()
