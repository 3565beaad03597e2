"""What stands around every request: what another site sends is not done, cookies leave with the answer.

Fetch Metadata (W3C) and Origin (RFC 6454) say who sends. Some browsers send neither, so the tokens of forms
are checked besides: `csrf`.
"""

from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES_MAX = 1024 * 1024
SAFE_METHODS = ("GET", "HEAD")
COOKIES = "console.cookies"
REMOVED = "; Max-Age=0;"
FOREIGN = "Another site's page sent this. Nothing was done.\n"
LARGE = f"The body may have {BODY_BYTES_MAX:,} bytes, and has to say how many.\n"


class Guard:
    """ASGI middleware; `own` is the console's origin."""

    def __init__(self, app: ASGIApp, own: str) -> None:
        self._app = app
        self._own = own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if is_foreign(scope["method"], headers, self._own):
            await PlainTextResponse(FOREIGN, 403)(scope, receive, send)
            return
        if is_large(headers):
            await PlainTextResponse(LARGE, 413)(scope, receive, send)
            return
        cookies: list[str] = []
        scope[COOKIES] = cookies

        async def with_cookies(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for line in cookies:
                    headers.append("set-cookie", line)
            await send(message)

        await self._app(scope, receive, with_cookies)


def is_foreign(method: str, headers: Headers, own: str) -> bool:
    """Whether another site's page sent this; it may lead to a page of ours, and no more."""
    site = headers.get("sec-fetch-site", "same-origin")
    if method in SAFE_METHODS:
        is_ours = site in ("same-origin", "none") or headers.get("sec-fetch-mode") == "navigate"
    else:
        is_ours = site == "same-origin" and headers.get("origin", own) == own
    return not is_ours


def is_large(headers: Headers) -> bool:
    """Whether the body is larger than a page of ours sends, or does not say how large it is."""
    length = headers.get("content-length", "0")
    return "transfer-encoding" in headers or int(length) > BODY_BYTES_MAX


def set_cookies(request: Request, lines: Iterable[str]) -> None:
    """Have the answer to `request` set cookies, in place of what was to be set before.

    What is to be taken away and is not there is left out.
    """
    kept: list[str] = request.scope[COOKIES]
    given = {_name(line): line for line in lines}
    left = [line for line in kept if _name(line) not in given]
    is_there = request.cookies.keys()
    kept[:] = [
        *left,
        *(line for name, line in given.items() if name in is_there or REMOVED not in line),
    ]


def _name(line: str) -> str:
    return line.partition("=")[0]
