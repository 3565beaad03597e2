"""Who signed in, by the tokens that came: the ID token says the user, the access token the tenant.

The access token is checked as the API checks it, so that what would be refused on every page is said once, at
the sign-in. OpenID Connect Core sections 3.1.3.7 and 12.2.
"""

import secrets
from typing import Any, NamedTuple

import jwt

from contracts.problems import Problem
from service.access.keys import SigningKeys
from service.access.verifier import Verifier
from service.connections import Access

NAME_CHARACTERS_MAX = 100
NAMES = ("name", "preferred_username", "email", "sub")


class NotAccepted(Exception):
    """Tokens that do not sign anybody in; the message says why."""


class Granted(NamedTuple):
    """What an access token allows: `subject` acts for `tenant` until `expires`, in s since 1970."""

    subject: str
    tenant: str
    expires: int


class Identity:
    """Reads the tokens of one issuer for the client `client_id`."""

    def __init__(self, access: Access, client_id: str) -> None:
        self._access = access
        self._client_id = client_id
        self._keys = SigningKeys(access)
        self._verifier = Verifier(access, self._keys)

    async def name(self, id_token: str, nonce: str, subject: str) -> str:
        """The user's name in an ID token. Raises `NotAccepted`."""
        claims = await self._claims(id_token)
        if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise NotAccepted("The ID token is of another sign-in.")
        if claims.get("azp", self._client_id) != self._client_id:
            raise NotAccepted("The ID token is of another client.")
        if claims["sub"] != subject:
            raise NotAccepted("The ID token and the access token are of two users.")
        found = (claims.get(each) for each in NAMES)
        return next(text for text in found if isinstance(text, str) and text)[:NAME_CHARACTERS_MAX]

    async def granted(self, access_token: str) -> Granted:
        """What an access token allows at the API. Raises `NotAccepted`."""
        try:
            claims = jwt.decode(access_token, options={"verify_signature": False})
        except jwt.PyJWTError:
            raise NotAccepted("The access token is no JWT.") from None
        tenant = str(claims.get(self._access.tenant_claim, ""))
        headers = {
            b"authorization": f"Bearer {access_token}".encode(),
            b"x-twc-tenant": tenant.encode(),
        }
        try:
            grant = await self._verifier.grant(headers)
        except Problem as problem:
            raise NotAccepted(problem.detail) from problem
        return Granted(grant.subject, tenant, int(claims["exp"]))

    async def _claims(self, id_token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(id_token)
            kid, alg = str(header.get("kid")), str(header.get("alg"))
            key = await self._keys.get(kid, alg) if alg in self._access.algorithms else None
            if key is None:
                raise NotAccepted("The ID token is signed by no key of the issuer.")
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key.key,
                algorithms=[alg],
                issuer=self._access.issuer,
                audience=self._client_id,
                leeway=self._access.leeway_s,
                options={"require": ["iss", "aud", "sub", "exp", "iat"]},
            )
        except jwt.PyJWTError as error:
            raise NotAccepted(f"The ID token is not valid ({type(error).__name__}).") from None
        except Problem as problem:
            raise NotAccepted(problem.detail) from problem
        return claims
