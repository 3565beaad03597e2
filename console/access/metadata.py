"""The issuer's metadata (OpenID Connect Discovery 1.0 section 4), and one way to ask an issuer anything."""

from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

ANSWER_BYTES_MAX = 64 * 1024
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class IssuerAway(Exception):
    """The issuer did not answer, or nothing that makes sense; the message says what."""


class Endpoints(msgspec.Struct):
    """The issuer's metadata, as far as it is used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    end_session_endpoint: str | None = None
    revocation_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


async def look_up(issuer: str, timeout_s: float) -> Endpoints:
    """The metadata of `issuer`. Raises `IssuerAway`."""
    url = issuer.rstrip("/") + "/.well-known/openid-configuration"
    status, content = await ask("GET", url, timeout_s)
    if status != 200:
        raise IssuerAway(f"The issuer answered {status} when it was asked for its metadata.")
    found: Endpoints = read(content, Endpoints)
    if found.issuer != issuer:
        raise IssuerAway("The issuer's metadata is of another issuer.")
    urls = (found.authorization_endpoint, found.token_endpoint, found.revocation_endpoint)
    if not all(is_protected(url) for url in (*urls, found.end_session_endpoint) if url):
        raise IssuerAway("The issuer's metadata names an endpoint without TLS.")
    return found


async def ask(
    method: str,
    url: str,
    timeout_s: float,
    headers: dict[str, str] | None = None,
    form: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    """Status and body of an answer. Raises `IssuerAway`."""
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    sent = {"Accept": "application/json"} | (headers or {})
    try:
        async with (
            aiohttp.ClientSession(trust_env=True, timeout=timeout) as session,
            session.request(method, url, headers=sent, data=form, allow_redirects=False) as answer,
        ):
            content = bytearray()
            async for part in answer.content.iter_any():
                content += part
                if len(content) > ANSWER_BYTES_MAX:
                    raise IssuerAway(f"The issuer's answer has over {ANSWER_BYTES_MAX:,} bytes.")
            return answer.status, bytes(content)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise IssuerAway(f"The issuer cannot be reached ({type(error).__name__}).") from error


def read(content: bytes, kind: Any) -> Any:
    """The JSON in `content` as `kind`. Raises `IssuerAway`."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise IssuerAway("The issuer's answer is not what it should be.") from None


def origin(url: str) -> str:
    """Scheme, host and port of `url`, as the header Origin has them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_protected(url: str) -> bool:
    """Whether `url` is reached by TLS, or does not leave this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
