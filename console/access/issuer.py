"""The console as a client of the issuer: codes and refresh tokens for tokens, and signing out.

RFC 6749 sections 4.1.3 and 6, RFC 7636, RFC 7009. A library for this would bring JOSE a second time and
sessions of its own; what is left of it is this file.
"""

import asyncio
import base64
import hashlib
import time
from typing import NamedTuple
from urllib.parse import quote_plus, urlencode, urlsplit

import aiohttp
import msgspec

from console.access.metadata import Endpoints, IssuerAway, ask, look_up, origin, read
from console.access.settings import SignInSettings

METADATA_AGE_S = 3600.0


class IssuerRefuses(Exception):
    """An error answer of RFC 6749 section 5.2: `code` is its word."""

    def __init__(self, code: str) -> None:
        super().__init__(f"The issuer refuses: {code}.")
        self.code = code


class Tokens(msgspec.Struct):
    """What a code or a refresh token brought."""

    access_token: str
    token_type: str
    refresh_token: str = ""
    id_token: str = ""


class Authorization(NamedTuple):
    """What one sign-in is told apart by, and its PKCE challenge."""

    state: str
    nonce: str
    challenge: str


class Issuer:
    """One per process."""

    def __init__(self, issuer: str, settings: SignInSettings, redirect_uri: str) -> None:
        self._issuer = issuer
        self._settings = settings
        self._redirect_uri = redirect_uri
        self._looking = asyncio.Lock()
        self._endpoints: Endpoints | None = None
        self._looked_s = float("-inf")

    @property
    def origins(self) -> list[str]:
        """Scheme, host and port of where forms of the console may lead to."""
        known = self._endpoints
        leads_to = known.end_session_endpoint if known is not None else None
        return sorted({origin(url) for url in (self._issuer, leads_to) if url})

    async def endpoints(self) -> Endpoints:
        """Its metadata, an hour old at the most; older while it cannot be asked. Raises `IssuerAway`."""
        async with self._looking:
            if time.monotonic() - self._looked_s > METADATA_AGE_S:
                try:
                    self._endpoints = await look_up(self._issuer, self._settings.timeout_s)
                    self._looked_s = time.monotonic()
                except IssuerAway:
                    if self._endpoints is None:
                        raise
        assert self._endpoints is not None  # noqa: S101 # raised above
        return self._endpoints

    async def authorization_url(self, asked: Authorization, tenant: str) -> str:
        """Where the browser goes to sign in; `tenant` is a hint, often empty. Raises `IssuerAway`."""
        endpoint = (await self.endpoints()).authorization_endpoint
        parameters = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(self._settings.scopes),
            "state": asked.state,
            "nonce": asked.nonce,
            "code_challenge": asked.challenge,
            "code_challenge_method": "S256",
        }
        hint = {"tenant": tenant} if tenant else {}
        separator = "&" if urlsplit(endpoint).query else "?"
        return endpoint + separator + urlencode(self._settings.parameters | hint | parameters)

    async def redeem(self, code: str, verifier: str) -> Tokens:
        """The tokens for a code. Raises `IssuerAway`, `IssuerRefuses`."""
        form = {"code": code, "redirect_uri": self._redirect_uri, "code_verifier": verifier}
        return await self._tokens({"grant_type": "authorization_code"} | form)

    async def refresh(self, refresh_token: str) -> Tokens:
        """The tokens for a refresh token. Raises `IssuerAway`, `IssuerRefuses`."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self._tokens(form)

    async def revoke(self, refresh_token: str) -> None:
        """Have the issuer forget a refresh token, where it can. Raises `IssuerAway`, `IssuerRefuses`."""
        if (endpoint := (await self.endpoints()).revocation_endpoint) is not None:
            await self._post(endpoint, {"token": refresh_token})

    async def end_session_url(self, id_token: str, back_to: str) -> str | None:
        """Where the browser goes to sign out there, None for nowhere. Raises `IssuerAway`."""
        endpoint = (await self.endpoints()).end_session_endpoint
        if endpoint is None:
            return None
        parameters = {"client_id": self._settings.client_id, "post_logout_redirect_uri": back_to}
        if id_token:
            parameters["id_token_hint"] = id_token
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(parameters)}"

    async def _tokens(self, form: dict[str, str]) -> Tokens:
        endpoint = (await self.endpoints()).token_endpoint
        found: Tokens = read(await self._post(endpoint, form), Tokens)
        if found.token_type.lower() != "bearer":
            raise IssuerAway("The issuer gave a token that is no bearer token.")
        return found

    async def _post(self, endpoint: str, form: dict[str, str]) -> bytes:
        methods = (await self.endpoints()).token_endpoint_auth_methods_supported
        client_id, secret = self._settings.client_id, self._settings.client_secret
        headers = {}
        if not secret.get_secret_value():
            form |= {"client_id": client_id}
        elif "client_secret_basic" in methods:
            pair = quote_plus(client_id), quote_plus(secret.get_secret_value())
            headers["Authorization"] = aiohttp.BasicAuth(*pair, encoding="utf-8").encode()
        else:
            form |= {"client_id": client_id, "client_secret": secret.get_secret_value()}
        status, content = await ask("POST", endpoint, self._settings.timeout_s, headers, form)
        if status in (400, 401):
            raise IssuerRefuses(_error(content))
        if status != 200:
            raise IssuerAway(f"The issuer answered {status}.")
        return content


def challenge_of(verifier: str) -> str:
    """PKCE's S256 (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _error(content: bytes) -> str:
    """The word of an error answer: lower case letters and underscores, else `unknown`."""
    try:
        word = msgspec.json.decode(content)["error"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        word = None
    known = isinstance(word, str) and word.isascii() and word.replace("_", "").isalpha()
    return word if known and len(word) <= 40 else "unknown"
