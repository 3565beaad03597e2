"""Headers that every answer of the console carries: what a browser may load and run, and for whom.

Scripts and styles are files of ours; there is none in a page, so a payload that holds some cannot run.
"""

from collections.abc import Callable, Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
    " frame-ancestors 'none'; form-action 'self'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HTTPS_HEADERS = {"Strict-Transport-Security": "max-age=31536000"}


class SecurityHeaders:
    """ASGI middleware; forms lead to the console and, signing out, to `origins`."""

    def __init__(
        self, app: ASGIApp, origins: Callable[[], Iterable[str]] = tuple, is_https: bool = False
    ) -> None:
        self._app = app
        self._origins = origins
        self._headers = HEADERS | (HTTPS_HEADERS if is_https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, text in self._headers.items():
                    headers.setdefault(name, text)
                policy = " ".join((POLICY, *self._origins()))
                headers.setdefault("Content-Security-Policy", policy)
            await send(message)

        await self._app(scope, receive, guarded if scope["type"] == "http" else send)
