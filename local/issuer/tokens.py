"""The token and revocation endpoints: RFC 6749 section 3.2, RFC 7009; ID tokens of OpenID Connect Core."""

import time
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.issuer.clients import Clients
from local.issuer.grants import Grants, SignIn
from local.issuer.keys import Keys
from local.issuer.request import (
    LIFETIME_S,
    TokenRefused,
    credentials,
    is_same,
    read_body,
    read_client_credentials,
    read_form,
)

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749 section 5.1


class Issued(NamedTuple):
    """What tokens say: their issuer, whom access tokens are for, how long a user's live."""

    issuer: str
    audience: str
    lifetime_s: int = LIFETIME_S


class Tokens:
    """The endpoints; `clients` are those of sign-ins, `secret` is the one that every client may have."""

    def __init__(
        self, issued: Issued, clients: Clients, grants: Grants, keys: Keys, secret: str
    ) -> None:
        self._issued = issued
        self._clients = clients
        self._grants = grants
        self._keys = keys
        self._secret = secret

    async def token(self, request: Request) -> Response:
        """POST /token."""
        try:
            return JSONResponse(await self._answer(request), headers=NO_STORE)
        except TokenRefused as refused:
            return _refusal(refused)

    async def revoke(self, request: Request) -> Response:
        """POST /revoke: 200 whatever the token is (RFC 7009 section 2.2)."""
        try:
            form = await _form(request)
            self._client(request, form)
        except TokenRefused as refused:
            return _refusal(refused)
        self._grants.revoke(form.get("token", ""))
        return Response(status_code=200, headers=NO_STORE)

    async def _answer(self, request: Request) -> dict[str, Any]:
        form = await _form(request)
        grant = form.get("grant_type")
        if grant == "authorization_code":
            return self._signed_in(self._grants.redeem(form, self._client(request, form)))
        if grant == "refresh_token":
            return self._signed_in(self._grants.refreshed(form, self._client(request, form)))
        authorization = request.headers.get("authorization", "")
        asked = read_client_credentials(form, authorization, self._secret)
        claims = {"sub": asked.client_id, "client_id": asked.client_id, "tenant": asked.client_id}
        return self._access(claims, asked.scope, asked.lifetime_s)

    def _client(self, request: Request, form: Mapping[str, str]) -> str:
        """The client id, of a public client by its word; a secret that it sends has to be right."""
        client_id, given = credentials(request.headers.get("authorization", ""), form)
        if client_id not in self._clients or (given and not is_same(given, self._secret)):
            raise TokenRefused("invalid_client", "no client of sign-ins has this id and secret")
        return client_id

    def _signed_in(self, sign_in: SignIn) -> dict[str, Any]:
        """Tokens for a sign-in: of access, and with their scopes of identity and to refresh."""
        claims = {"sub": sign_in.user, "client_id": sign_in.client_id, "tenant": sign_in.tenant}
        answer = self._access(claims, sign_in.scope, self._issued.lifetime_s)
        scopes = sign_in.scope.split(" ")
        if "openid" in scopes:
            answer["id_token"] = self._keys.sign(self._identity(sign_in), "JWT")
        if "offline_access" in scopes:
            answer["refresh_token"] = self._grants.refresh_token(sign_in)
        return answer

    def _access(self, claims: dict[str, str], scope: str, lifetime_s: int) -> dict[str, Any]:
        """An access token (RFC 9068 section 2.2) with `claims`, among them ours, `tenant`."""
        issued, now = self._issued, int(time.time())
        whole = {
            "iss": issued.issuer,
            "aud": issued.audience,
            **claims,
            "scope": scope,
            "iat": now,
            "exp": now + lifetime_s,
            "jti": str(uuid.uuid4()),
        }
        answer = {"token_type": "Bearer", "expires_in": lifetime_s, "scope": scope}
        return answer | {"access_token": self._keys.sign(whole)}

    def _identity(self, sign_in: SignIn) -> dict[str, str | int]:
        """The claims of an ID token (OpenID Connect Core section 2); `sid` names the sign-in."""
        now = int(time.time())
        claims: dict[str, str | int] = {
            "iss": self._issued.issuer,
            "aud": sign_in.client_id,
            "sub": sign_in.user,
            "name": sign_in.user,
            "sid": sign_in.id,
            "auth_time": sign_in.began,
            "iat": now,
            "exp": now + self._issued.lifetime_s,
        }
        return claims | ({"nonce": sign_in.nonce} if sign_in.nonce else {})


async def _form(request: Request) -> dict[str, str]:
    return read_form(request.headers.get("content-type", ""), await read_body(request))


def _refusal(refused: TokenRefused) -> Response:
    """An error answer of RFC 6749 section 5.2."""
    body = {"error": refused.code, "error_description": str(refused)}
    if refused.code == "invalid_client":
        return JSONResponse(body, 401, NO_STORE | {"WWW-Authenticate": 'Basic realm="token"'})
    return JSONResponse(body, 400, NO_STORE)
