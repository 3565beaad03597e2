"""Sign-ins that are under way: each waits in a cookie of its own, for ten minutes and one answer.

So several tabs may sign in at once, and an answer that this browser did not ask for finds nothing.
"""

import re
import secrets
from collections.abc import Iterable

import msgspec
from starlette.requests import Request

from console.access.cookies import Cookie
from console.access.guard import set_cookies
from console.access.seal import Seal

LASTS_S = 600
PENDING_MAX = 8
COOKIE = "sign-in"
PURPOSE = "sign-in"
NAMED = 12
"""Characters of a state that its cookie is named by."""
_state = re.compile(r"[A-Za-z0-9_-]{43}")


class Pending(msgspec.Struct, array_like=True):
    """What one sign-in is told apart by (state, nonce), PKCE's verifier, and where it leads."""

    state: str
    nonce: str
    verifier: str
    path: str


class Pendings:
    """Those of one console."""

    def __init__(self, url: str, secrets_: Iterable[str]) -> None:
        self._url = url
        self._seal = Seal(secrets_, PURPOSE, LASTS_S)

    def begin(self, request: Request, path: str) -> Pending:
        """A new one, that leads to `path`; where too many wait they are forgotten."""
        waiting = [name for name in request.cookies if name.startswith(self._cookie("").name)]
        if len(waiting) >= PENDING_MAX:
            for name in waiting:
                set_cookies(
                    request, self._cookie(name.removeprefix(self._cookie("").name)).remove()
                )
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        pending = Pending(state, nonce, verifier, path)
        sealed = self._seal.close(msgspec.json.encode(pending))
        set_cookies(request, self._cookie(pending.state[:NAMED]).write(sealed, LASTS_S))
        return pending

    def take(self, request: Request, state: str) -> Pending | None:
        """The one with `state`, which is over by that; None when this browser has not begun it."""
        if not _state.fullmatch(state):
            return None
        cookie = self._cookie(state[:NAMED])
        set_cookies(request, cookie.remove())
        content = self._seal.open(cookie.read(request.cookies))
        pending = None if content is None else msgspec.json.decode(content, type=Pending)
        is_it = pending is not None and secrets.compare_digest(pending.state, state)
        return pending if is_it else None

    def _cookie(self, short: str) -> Cookie:
        return Cookie(self._url, f"{COOKIE}-{short}")
