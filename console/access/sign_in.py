"""Signing in and out: to the issuer, back with a code, and away.

OpenID Connect Core section 3.1 with PKCE (RFC 7636), and what RFC 9700 section 2.1 asks of clients. An answer
that this browser did not ask for is not acted on, and its words are not shown.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from console.access.cookies import TooLarge
from console.access.csrf import has_token
from console.access.identity import Identity, NotAccepted
from console.access.issuer import Authorization, Issuer, IssuerRefuses, challenge_of
from console.access.metadata import LOOPBACK, IssuerAway
from console.access.pending import Pending, Pendings
from console.access.returning import is_navigation, safe_path
from console.access.sessions import Sessions, csrf_of, sign_in_at

log = logging.getLogger(__name__)

CALLBACK, SIGNED_OUT = "/sign-in/callback", "/signed-out"
NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
CODE_CHARACTERS_MAX = 4096

Handler = Callable[[Request], Awaitable[Response]]


class Wrong(Exception):
    """A sign-in that comes to nothing; title and message are for the person."""

    def __init__(self, status: int, title: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.title = title


class Parts(NamedTuple):
    """What a sign-in goes through."""

    issuer: Issuer
    identity: Identity
    sessions: Sessions
    pendings: Pendings


class SignIn:
    """The handlers of the console at `url`."""

    def __init__(self, url: str, parts: Parts, templates: Environment) -> None:
        self._url = url
        self._issuer, self._identity, self._sessions, self._pendings = parts
        self._templates = templates

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/sign-in", self._shown(self.begin)),
            Route(CALLBACK, self._shown(self.callback)),
            Route("/sign-out", self._shown(self.stay), methods=["GET"]),
            Route("/sign-out", self._shown(self.sign_out), methods=["POST"]),
            Route(SIGNED_OUT, self._shown(self.signed_out)),
        ]

    async def begin(self, request: Request) -> Response:
        """To the issuer. Another name of this machine has other cookies, so it is left first."""
        if not is_navigation(request):
            raise Wrong(400, "Sign in", "This is a page to go to, not one to be loaded by another.")
        own = urlsplit(self._url)
        if own.hostname in LOOPBACK and request.headers.get("host") != own.netloc:
            return _to(f"{self._url}/sign-in?{request.url.query}")
        path = safe_path(request.query_params.get("next", "/"))
        pending = self._pendings.begin(request, path)
        asked = Authorization(pending.state, pending.nonce, challenge_of(pending.verifier))
        tenant = request.query_params.get("tenant", "")
        return _to(await self._issuer.authorization_url(asked, tenant))

    async def callback(self, request: Request) -> Response:
        """Back from the issuer: to the page that was asked for, with a session."""
        query = request.query_params
        pending = self._pendings.take(request, query.get("state", ""))
        if pending is None:
            text = (
                "It was begun in another browser, more than ten minutes ago, or it is over already."
            )
            raise Wrong(400, "This sign-in is not known here", text)
        await self._require_issuer(query.get("iss"))
        if "error" in query:
            raise Wrong(403, "You were not signed in", _told(query["error"]))
        await self._sign_in(request, query.get("code", ""), pending)
        return _to(pending.path)

    async def stay(self, request: Request) -> Response:
        """A link signs nobody out."""
        return _to("/")

    async def sign_out(self, request: Request) -> Response:
        """Here, then at the issuer, which is asked to forget the refresh token."""
        kept = self._sessions.opened(request)
        if kept is None:
            return _to(SIGNED_OUT)
        if not await has_token(request, csrf_of(kept)):
            text = "The form was of another session. Go back and load the page again."
            raise Wrong(403, "You were not signed out", text)
        self._sessions.end(request, kept)
        try:
            if kept.refresh_token:
                await self._issuer.revoke(kept.refresh_token)
            back = f"{self._url}{SIGNED_OUT}"
            return _to(await self._issuer.end_session_url(kept.id_token, back) or SIGNED_OUT)
        except (IssuerAway, IssuerRefuses) as error:
            log.warning("signed out here, and not at the issuer: %s", error)
            return _to(SIGNED_OUT)

    async def signed_out(self, request: Request) -> Response:
        """That one is signed out."""
        return self._page(200, "You are signed out", "Until you sign in again.", "/")

    async def _require_issuer(self, told: str | None) -> None:
        """Raise `Wrong` when another issuer answered (RFC 9207)."""
        known = await self._issuer.endpoints()
        is_told = told is not None or known.authorization_response_iss_parameter_supported
        if is_told and told != known.issuer:
            raise Wrong(400, "You were not signed in", "Another issuer answered than was asked.")

    async def _sign_in(self, request: Request, code: str, pending: Pending) -> None:
        if not 0 < len(code) <= CODE_CHARACTERS_MAX:
            raise Wrong(400, "You were not signed in", "The issuer's answer has no code.")
        tokens = await self._issuer.redeem(code, pending.verifier)
        granted = await self._identity.granted(tokens.access_token)
        user = await self._identity.name(tokens.id_token, pending.nonce, granted.subject)
        self._sessions.begin(request, user, tokens, granted)

    def _shown(self, handler: Handler) -> Handler:
        """`handler`, with a page for what goes wrong."""

        async def endpoint(request: Request) -> Response:
            title, again = "You were not signed in", sign_in_at("/")
            try:
                return await handler(request)
            except Wrong as wrong:
                return self._page(wrong.status, wrong.title, str(wrong), again)
            except IssuerAway as away:
                log.warning("nobody can sign in: %s", away)
                return self._page(503, "Nobody can sign in now", str(away), again)
            except (IssuerRefuses, NotAccepted) as refused:
                log.warning("somebody could not sign in: %s", refused)
                return self._page(403, title, str(refused), again)
            except TooLarge as large:
                log.warning("somebody could not sign in: the session %s", large)
                text = f"The issuer's tokens do not fit into a cookie: the session {large}."
                return self._page(500, title, text, again)

        return endpoint

    def _page(self, status: int, title: str, text: str, again: str) -> Response:
        template = self._templates.get_template("alone.html")
        content = template.render(title=title, text=text, again=again)
        return HTMLResponse(content, status, NO_STORE)


def _to(url: str) -> Response:
    return RedirectResponse(url, 303, NO_STORE)


def _told(error: str) -> str:
    """An error of the issuer's, in words where it is one that people meet (RFC 6749 section 4.1.2.1)."""
    known = {
        "access_denied": "The issuer says that you may not, or you went back.",
        "temporarily_unavailable": "The issuer is busy. Try again.",
        "login_required": "The issuer wants you to sign in.",
    }
    return known.get(
        error, "The issuer refused. The console's settings may not be as it wants them."
    )
