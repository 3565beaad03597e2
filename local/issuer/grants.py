"""What users granted: codes that are redeemed once, and refresh tokens that change with each use.

A code or refresh token that comes a second time is in two hands, so all that came of its sign-in ends
(RFC 6749 section 4.1.2, RFC 9700 section 4.14.2). Kept in memory: a restart ends every sign-in.
"""

import base64
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from local.issuer.request import TokenRefused, is_same

CODE_LIFETIME_S = 60
REFRESH_LIFETIME_S = 12 * 3600
"""Since its last use."""
KEPT_MAX = 10_000
SECRET_BYTES = 32

Kept = TypeVar("Kept")


class SignIn(NamedTuple):
    """A user's sign-in to a client. `challenge` is PKCE's, `began` in s since 1970."""

    id: str
    client_id: str
    redirect_uri: str
    scope: str
    nonce: str
    challenge: str
    tenant: str
    user: str
    began: int


class _Code(NamedTuple):
    sign_in: SignIn
    expires: float


class _Refresh(NamedTuple):
    sign_in: SignIn
    secret: str
    expires: float


class Grants:
    """The codes and refresh tokens that count."""

    def __init__(self) -> None:
        self._codes: OrderedDict[str, _Code] = OrderedDict()
        self._spent: OrderedDict[str, str] = OrderedDict()  # a code's sign-in
        self._refreshes: OrderedDict[str, _Refresh] = OrderedDict()  # by sign-in

    def code(self, sign_in: SignIn) -> str:
        """A code for `sign_in`."""
        code = secrets.token_urlsafe(SECRET_BYTES)
        _keep(self._codes, code, _Code(sign_in, time.time() + CODE_LIFETIME_S))
        return code

    def redeem(self, form: Mapping[str, str], client_id: str) -> SignIn:
        """The sign-in of the code in `form`, which is spent by that, also when it is refused.

        Raises `TokenRefused`. RFC 6749 section 4.1.3, RFC 7636 section 4.6.
        """
        code = form.get("code", "")
        if (sign_in_id := self._spent.get(code)) is not None:
            self.end(sign_in_id)
            raise TokenRefused("invalid_grant", "the code was used before; its tokens have ended")
        found = self._codes.pop(code, None)
        if found is None or found.expires <= time.time():
            raise TokenRefused("invalid_grant", "the code is unknown or has expired")
        sign_in = found.sign_in
        _keep(self._spent, code, sign_in.id)
        if sign_in.client_id != client_id or sign_in.redirect_uri != form.get("redirect_uri"):
            raise TokenRefused("invalid_grant", "the code is of another client or redirect_uri")
        if not is_same(challenge_of(form.get("code_verifier", "")), sign_in.challenge):
            raise TokenRefused("invalid_grant", "code_verifier is not that of the code_challenge")
        return sign_in

    def refresh_token(self, sign_in: SignIn) -> str:
        """The one refresh token of `sign_in` from now on."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        self._refreshes.pop(sign_in.id, None)
        expires = time.time() + REFRESH_LIFETIME_S
        _keep(self._refreshes, sign_in.id, _Refresh(sign_in, secret, expires))
        return f"{sign_in.id}.{secret}"

    def refreshed(self, form: Mapping[str, str], client_id: str) -> SignIn:
        """The sign-in of the refresh token in `form`. Raises `TokenRefused`. RFC 6749 section 6."""
        sign_in_id, _, secret = form.get("refresh_token", "").partition(".")
        found = self._refreshes.get(sign_in_id)
        if found is None or found.expires <= time.time():
            raise TokenRefused("invalid_grant", "the refresh token is unknown or has expired")
        if found.sign_in.client_id != client_id:
            raise TokenRefused("invalid_grant", "the refresh token is of another client")
        if not is_same(secret, found.secret):
            self.end(sign_in_id)
            raise TokenRefused("invalid_grant", "the refresh token was used before; it has ended")
        return found.sign_in

    def end(self, sign_in_id: str) -> None:
        """No refresh token of that sign-in counts any longer."""
        self._refreshes.pop(sign_in_id, None)

    def revoke(self, token: str) -> None:
        """End what a refresh token stands for (RFC 7009); another text is nothing."""
        sign_in_id, _, secret = token.partition(".")
        found = self._refreshes.get(sign_in_id)
        if found is not None and is_same(secret, found.secret):
            self.end(sign_in_id)


def challenge_of(verifier: str) -> str:
    """PKCE's S256 (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _keep(kept: "OrderedDict[str, Kept]", key: str, value: Kept) -> None:
    kept[key] = value
    if len(kept) > KEPT_MAX:
        kept.popitem(last=False)
