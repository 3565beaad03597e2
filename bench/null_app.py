"""The limit of an edge on this server: reads the body and sends it back, nothing else.

`python -m bench.null_app PORT` serves it with uvicorn as it comes; with a third argument `whole` as the
edge is served, which writes an answer at once instead of its head and its body.
"""

import sys

import uvicorn

from service.connections import Http
from service.http.app import ALIKE, serve
from service.http.asgi import Receive, Scope, Send
from service.memory import tune


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer every request with its own body."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    if sys.argv[2:] == ["whole"]:
        serve(app, Http(port=int(sys.argv[1])))
    else:
        tune()
        uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", **ALIKE | {"http": "httptools"})
