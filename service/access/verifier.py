"""Who may call: OAuth 2.0 bearer tokens (RFC 6750) in the JWT profile of RFC 9068.

A `Verifier` turns the Authorization and X-TWC-Tenant headers into a tenant or a `Problem`. A token
that was verified is remembered by its text for a minute at the most, and never past the moment at
which the issuer's keys have to be looked at again, so that the signature is checked once and not
per request. A token has one spelling: what two readers may read as two tokens is refused.
"""

import base64
import binascii
import time
from collections.abc import Callable
from typing import Any, Protocol

import jwt
from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.encoding.parse import read_json
from contracts.problems import Problem
from contracts.tenants import is_tenant
from service.connections import Access

TOKEN_BYTES_MAX = 8 * 1024
REMEMBER_S = 60
REMEMBERED_MAX = 10_000

REFUSED: dict[type[Exception], str] = {
    jwt.InvalidIssuerError: "it is of another issuer",
    jwt.InvalidAudienceError: "its aud does not hold this API",
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "it is not valid yet",
}
"""Why, by what PyJWT raises for iss, aud, exp, and nbf or iat (RFC 7519); the rest is the signature."""


class Claims(BaseModel):
    """The claims that decide, with the types that RFC 7519 and RFC 9068 give them."""

    model_config = ConfigDict(strict=True, extra="allow")

    iss: str
    aud: str | list[str]
    sub: str
    exp: int
    iat: int
    nbf: int | None = None


class Keys(Protocol):
    """The issuer's signing keys, wherever they come from."""

    changed: Callable[[], None]

    async def get(self, kid: str, alg: str) -> jwt.PyJWK | None:
        """The key `kid` if it may verify `alg`. Raises `Problem` 503 when that cannot be said."""

    def fresh_for_s(self) -> float:
        """How long a token that was verified now may be remembered."""


class Grant:
    """What a verified token allows: `subject` acts for one tenant, until `expires` (s since 1970)."""

    __slots__ = ("expires", "header", "subject", "tenant")

    def __init__(self, tenant: str, expires: float, subject: str = "") -> None:
        self.tenant = tenant
        self.subject = subject
        self.header = tenant.encode()
        self.expires = expires


class Verifier:
    """Checks tokens against one issuer. One per process; not thread-safe."""

    def __init__(self, access: Access, keys: Keys) -> None:
        self._access = access
        self._keys = keys
        self._grants: dict[bytes, Grant] = {}
        keys.changed = self._grants.clear

    def known(self, headers: dict[bytes, bytes]) -> str | None:
        """The tenant of a token that was verified a moment ago; None: ask `tenant`."""
        grant = self._grants.get(headers.get(b"authorization", b""))
        if (
            grant is not None
            and grant.expires > time.time()
            and headers.get(b"x-twc-tenant") == grant.header
        ):
            return grant.tenant
        return None

    async def tenant(self, headers: dict[bytes, bytes]) -> str:
        """The tenant that the request may act for. Raises as `grant` does."""
        return (await self.grant(headers)).tenant

    async def grant(self, headers: dict[bytes, bytes]) -> Grant:
        """Who asks, and the tenant that the request may act for.

        Raises `Problem` 400 (header malformed), 401 (no valid token), 403 (scope or tenant) or 503
        (no keys to verify with).
        """
        authorization = headers.get(b"authorization", b"")
        grant = self._grants.get(authorization)
        if grant is None or grant.expires <= time.time():
            grant = await self._verify(authorization)
        claimed = headers.get(b"x-twc-tenant")
        if claimed != grant.header:
            raise _tenant_problem(claimed)
        return grant

    async def _verify(self, authorization: bytes) -> Grant:
        token = bearer_token(authorization)
        header = self._header(token)
        key = await self._keys.get(header["kid"], header["alg"])
        if key is None:
            raise _invalid("the token's key id is not among the issuer's keys")
        claims = self._claims(token)
        access = self._access
        try:
            jwt.decode(
                token,
                key.key,
                algorithms=[header["alg"]],
                issuer=access.issuer,
                audience=access.audience,
                leeway=access.leeway_s,
            )
        except jwt.PyJWTError as error:
            raise _invalid(
                REFUSED.get(type(error), "it is no JWT with a valid signature")
            ) from None
        grant = self._grant(claims)
        self._remember(authorization, grant)
        return grant

    def _header(self, token: bytes) -> dict[str, Any]:
        try:
            encoded, _, _ = parts = token.split(b".")
            for part in parts:
                _require_canonical(part)
            header = read_json(base64.urlsafe_b64decode(encoded + b"=="))
        except (Problem, ValueError):
            raise _invalid("the token is not a signed JWT in its one spelling") from None
        if not isinstance(header, dict):
            raise _invalid("the token's header is not a JSON object")
        if header.get("alg") not in self._access.algorithms:
            raise _invalid(f"the token's alg must be one of {', '.join(self._access.algorithms)}")
        if str(header.get("typ", "")).lower() not in self._access.token_types:
            raise _invalid(f"the token's typ must be {self._access.token_types[0]} (RFC 9068)")
        if not isinstance(header.get("kid"), str) or "crit" in header:
            raise _invalid("the token's header needs a kid and no crit")
        return header

    def _claims(self, token: bytes) -> Claims:
        """The claims before they are verified: PyJWT would take a number's text, and equal keys."""
        try:
            payload = base64.urlsafe_b64decode(token.split(b".")[1] + b"==")
            return Claims.model_validate(read_json(payload))
        except Problem:
            raise _invalid("the token's claims are not a JSON object with unique keys") from None
        except ValidationError as error:
            names = sorted({str(detail["loc"][0]) for detail in error.errors() if detail["loc"]})
            raise _invalid(f"claims missing or of the wrong type: {', '.join(names)}") from None

    def _grant(self, claims: Claims) -> Grant:
        access, now = self._access, time.time()
        if claims.exp - claims.iat > access.lifetime_max_s:
            raise _invalid(f"the token lives longer than {access.lifetime_max_s} s")
        others = claims.model_extra or {}
        if access.scope not in _scopes(others.get(access.scope_claim)):
            raise Problem(
                403,
                f"The token lacks the scope {access.scope}.",
                headers=_challenge(f'error="insufficient_scope", scope="{access.scope}"'),
            )
        tenant = others.get(access.tenant_claim)
        if not isinstance(tenant, str) or not is_tenant(tenant):
            raise Problem(403, f"The token's claim {access.tenant_claim} names no tenant.")
        remember_s = min(REMEMBER_S, self._keys.fresh_for_s())
        return Grant(tenant, min(claims.exp + access.leeway_s, now + remember_s), claims.sub)

    def _remember(self, authorization: bytes, grant: Grant) -> None:
        if len(self._grants) >= REMEMBERED_MAX:
            self._grants.pop(next(iter(self._grants)))  # the oldest: dicts keep insertion order
        self._grants[authorization] = grant


def bearer_token(authorization: bytes) -> bytes:
    """The token of an Authorization header (RFC 6750 section 2.1). Raises `Problem` 400 or 401."""
    scheme, _, token = authorization.partition(b" ")
    if scheme.lower() != b"bearer":
        # no credentials that we know: a challenge without an error code (RFC 6750 section 3.1)
        raise Problem(401, "Send Authorization: Bearer with a token.", headers=_challenge())
    token = token.strip(b" ")
    if not token or b" " in token:
        raise Problem(
            400,
            "Authorization: Bearer needs exactly one token.",
            headers=_challenge('error="invalid_request"'),
        )
    if len(token) > TOKEN_BYTES_MAX:
        raise _invalid(f"the token has {len(token):,} bytes; the limit is {TOKEN_BYTES_MAX:,}")
    return token


def _require_canonical(part: bytes) -> None:
    """Raise `ValueError` unless `part` is base64url without padding, its unused bits zero (RFC 7515)."""
    decoded = base64.urlsafe_b64decode(part + b"==")
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != part:
        raise binascii.Error("not the one spelling")


def _scopes(claim: Any) -> list[str]:
    """The scopes of a token: words of one text (RFC 8693 section 4.2), or a list of them; else none."""
    if isinstance(claim, str):
        return claim.split(" ")
    is_list = isinstance(claim, list) and all(isinstance(each, str) for each in claim)
    return claim if is_list else []


def _tenant_problem(claimed: bytes | None) -> Problem:
    if claimed is None:
        return Problem(400, "The header X-TWC-Tenant is missing.")
    if not is_tenant(claimed.decode("latin-1")):
        return Problem(
            400,
            f"X-TWC-Tenant has {len(claimed):,} bytes; a tenant's name is 1 to 64 ASCII letters,"
            " digits, '.', '_' or '-' and begins with a letter or digit.",
        )
    return Problem(403, "The token is not for the tenant in X-TWC-Tenant.")


def _invalid(why: str) -> Problem:
    return Problem(
        401, f"The token is refused: {why}.", headers=_challenge('error="invalid_token"')
    )


def _challenge(parameters: str = "") -> dict[str, str]:
    realm = 'Bearer realm="events"'
    return {"WWW-Authenticate": f"{realm}, {parameters}" if parameters else realm}
