"""Sessions: what a sign-in brought, sealed into a cookie, opened for each request and refreshed in time."""

import base64
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Container, Sequence
from urllib.parse import quote, urlencode

import msgspec
from starlette.requests import Request

from console.access.cookies import Cookie, TooLarge
from console.access.guard import set_cookies
from console.access.identity import Granted, NotAccepted
from console.access.issuer import IssuerRefuses, Tokens
from console.access.metadata import IssuerAway
from console.access.refresh import Refreshing
from console.access.returning import here
from console.access.seal import Seal
from console.access.settings import SessionSettings
from console.session import NotSignedIn

COOKIE = "session"
PURPOSE = "session"
REFRESH_BEFORE_S = 90.0
"""So a page's token lives that long at the least, where the issuer's do."""
ENDED_MAX = 10_000
SLIDE_S = 60.0
"""A cookie is written anew for being used once in so long."""


class Kept(msgspec.Struct, array_like=True):
    """What a session's cookie holds; times in s since 1970."""

    id: str
    user: str
    tenant: str
    subject: str
    access_token: str
    expires: int
    refresh_token: str
    id_token: str
    began: int
    seen: int


class SignedInSession:
    """One request's session: see `console.session.Session`."""

    def __init__(self, kept: Kept, where: str, ended: Container[str]) -> None:
        self._kept = kept
        self._where = where
        self._ended = ended

    @property
    def user(self) -> str:
        """Their name."""
        return self._kept.user

    @property
    def tenant(self) -> str:
        """The tenant that the token is for."""
        return self._kept.tenant

    @property
    def tenants(self) -> Sequence[str]:
        """A token is for one."""
        return (self._kept.tenant,)

    @property
    def csrf(self) -> str:
        """What each form carries: of this session alone."""
        return csrf_of(self._kept)

    async def access_token(self) -> str:
        """A token of the API; who streams asks for each part, to end with it. Raises `NotSignedIn`."""
        if self._kept.expires <= time.time() or self._kept.id in self._ended:
            raise NotSignedIn(self._where)
        return self._kept.access_token


class Sessions:
    """Opens and keeps the sessions of the console at `url`."""

    def __init__(self, url: str, settings: SessionSettings, refreshing: Refreshing) -> None:
        self._settings = settings
        self._refreshing = refreshing
        self._cookie = Cookie(url, COOKIE)
        self._seal = Seal(settings.secrets, PURPOSE, settings.lifetime_s)
        self._ended: OrderedDict[str, None] = OrderedDict()

    async def signed_in(self, request: Request) -> SignedInSession:
        """The session of a request, its token good for a while. Raises `NotSignedIn`."""
        where = sign_in_at(here(request))
        kept = self.opened(request)
        if kept is None:
            raise NotSignedIn(where)
        now = int(time.time())
        changed = now - kept.seen > min(SLIDE_S, self._settings.idle_s / 10)
        kept.seen = now
        if kept.expires - now < REFRESH_BEFORE_S and kept.refresh_token:
            changed |= await self._refresh(kept)
        if kept.expires <= now:
            set_cookies(request, self._cookie.remove())
            raise NotSignedIn(where)
        if changed:
            self._keep(request, kept)
        return SignedInSession(kept, where, self._ended)

    def begin(self, request: Request, user: str, tokens: Tokens, granted: Granted) -> None:
        """A new session; the answer to `request` sets its cookie. Raises `TooLarge`."""
        now = int(time.time())
        kept = Kept(
            id=secrets.token_urlsafe(16),
            user=user,
            tenant=granted.tenant,
            subject=granted.subject,
            access_token=tokens.access_token,
            expires=granted.expires,
            refresh_token=tokens.refresh_token,
            id_token=tokens.id_token,
            began=now,
            seen=now,
        )
        self._keep(request, kept)

    def end(self, request: Request, kept: Kept) -> None:
        """The answer to `request` takes the session away; in this process a copy of it is none either.

        So an answer that is on its way with the session's next cookie does not bring it back.
        """
        self._ended[kept.id] = None
        if len(self._ended) > ENDED_MAX:
            self._ended.popitem(last=False)
        set_cookies(request, self._cookie.remove())

    def opened(self, request: Request) -> Kept | None:
        """What the request's cookie holds while the session lasts, else None."""
        content = self._seal.open(self._cookie.read(request.cookies))
        if content is None:
            return None
        try:
            kept = msgspec.json.decode(content, type=Kept)
        except msgspec.DecodeError:  # of another release
            return None
        settings, now = self._settings, time.time()
        lasts = now < kept.began + settings.lifetime_s and now < kept.seen + settings.idle_s
        return kept if lasts and kept.id not in self._ended else None

    async def _refresh(self, kept: Kept) -> bool:
        """Put new tokens into `kept`; False when there are none, and it lives on while its token does.

        Then the cookie stays as it is: another process may have given the browser a better one.
        """
        try:
            tokens, granted = await self._refreshing.refreshed(kept.refresh_token)
        except (IssuerAway, IssuerRefuses, NotAccepted):
            return False
        if (granted.subject, granted.tenant) != (kept.subject, kept.tenant):
            kept.expires, kept.refresh_token = 0, ""
            return False
        kept.access_token, kept.expires = tokens.access_token, granted.expires
        kept.refresh_token = tokens.refresh_token
        kept.id_token = tokens.id_token or kept.id_token
        return True

    def _keep(self, request: Request, kept: Kept) -> None:
        left_s = kept.began + self._settings.lifetime_s - time.time()
        try:
            lines = self._cookie.write(self._seal.close(msgspec.json.encode(kept)), left_s)
        except TooLarge:
            if not kept.id_token:
                raise
            kept.id_token = ""  # it only spares a question at signing out
            lines = self._cookie.write(self._seal.close(msgspec.json.encode(kept)), left_s)
        set_cookies(request, lines)


def csrf_of(kept: Kept) -> str:
    """The token of the session's forms."""
    digest = hashlib.sha256(b"csrf " + kept.id.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def sign_in_at(path: str, tenant: str = "") -> str:
    """Where one signs in, to come back to `path`."""
    hint = f"&tenant={quote(tenant)}" if tenant else ""
    return f"/sign-in?{urlencode({'next': path})}{hint}"
