"""Work for an answer ends when whoever asked has gone away: what it takes is left to others."""

import asyncio

from service.http.asgi import Handler, Message, Receive, Scope, Send

CLEANUP_S = 1.0
"""What is cancelled has so long to give back what it holds."""


class WhileWanted:
    """A handler of GET, or of a POST that changes nothing, that is cancelled when its client goes."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the handler answers, if somebody waits for it. Raises what it raises."""
        is_read = asyncio.Event()

        async def reading() -> Message:
            message = await receive()
            if not message.get("more_body"):
                is_read.set()
            return message

        async def left() -> None:
            if scope["method"] != "GET":
                await is_read.wait()
            while (await receive())["type"] != "http.disconnect":
                pass

        answering = asyncio.ensure_future(self._handler(scope, reading, send))
        leaving = asyncio.ensure_future(left())
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                answering.result()
        finally:
            leaving.cancel()
            answering.cancel()
            await asyncio.wait((answering,), timeout=CLEANUP_S)
