"""A token request read and checked: RFC 6749 sections 2.3.1, 3.3, 4.4 and 5.2.

By client credentials any client id that is a tenant's name may ask, with the one secret; it is then that
tenant. Codes and refresh tokens are in `grants`.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request

from contracts.tenants import is_tenant

LIFETIME_S = 3600
LIFETIME_MAX_S = 24 * 3600
SCOPE = "authentication"
FIELDS_MAX = 20
FORM_BYTES_MAX = 16 * 1024

_scope_tokens = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")  # 3.3
_lifetime = re.compile(r"[0-9]{1,6}")


class TokenRefused(Exception):
    """An error answer of section 5.2: `code` is one of its words, the message says what to do."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code


class TokenRequest(NamedTuple):
    """What is granted: any scope that is asked for, for this issuer guards nothing real."""

    client_id: str
    scope: str
    lifetime_s: int


def read_client_credentials(
    form: Mapping[str, str], authorization: str, client_secret: str
) -> TokenRequest:
    """The request in `form` once its client is authenticated. Raises `TokenRefused`."""
    client_id, given = credentials(authorization, form)
    if not (is_same(given, client_secret) and is_tenant(client_id)):
        raise TokenRefused(
            "invalid_client",
            "client_id must be a tenant's name and client_secret what the file client_secret in"
            " the issuer's folder holds",
        )
    grant = form.get("grant_type")
    if grant is None:
        raise TokenRefused("invalid_request", "grant_type is missing: client_credentials")
    if grant != "client_credentials":
        raise TokenRefused(
            "unsupported_grant_type",
            "grant_type must be client_credentials, authorization_code or refresh_token",
        )
    scope = form.get("scope", SCOPE)
    if not is_scope(scope):
        raise TokenRefused("invalid_scope", "scope is one or more words separated by one space")
    return TokenRequest(client_id, scope, _read_lifetime(form.get("lifetime_s", str(LIFETIME_S))))


def is_scope(text: str) -> bool:
    """Whether `text` is what section 3.3 calls a scope."""
    return _scope_tokens.fullmatch(text) is not None


def is_same(given: str, secret: str) -> bool:
    """Whether two secrets are one, in a time that does not tell where they differ."""
    return secrets.compare_digest(given.encode(), secret.encode())


async def read_body(request: Request) -> bytes:
    """The body, of a bounded size. Raises `TokenRefused`."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES_MAX:
            raise TokenRefused("invalid_request", f"the form may have {FORM_BYTES_MAX:,} bytes")
    return body


def read_form(content_type: str, body: bytes) -> dict[str, str]:
    """The parameters of a form. Raises `TokenRefused`."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise TokenRefused(
            "invalid_request", "Content-Type must be application/x-www-form-urlencoded"
        )
    return read_parameters(body)


def read_parameters(encoded: bytes) -> dict[str, str]:
    """The parameters of a form's body or of a query. Raises `TokenRefused`."""
    try:
        fields = parse_qsl(encoded.decode(), errors="strict", max_num_fields=FIELDS_MAX)
    except ValueError:
        raise TokenRefused("invalid_request", "the parameters are no form in UTF-8") from None
    form = dict(fields)
    if len(form) != len(fields):
        raise TokenRefused("invalid_request", "a parameter came twice; send each once")
    return form


def credentials(authorization: str, form: Mapping[str, str]) -> tuple[str, str]:
    """Client id and secret, from HTTP Basic or from the form, never from both."""
    if not authorization:
        return form.get("client_id", ""), form.get("client_secret", "")
    if "client_secret" in form:
        raise TokenRefused("invalid_request", "send the secret in one way: Basic or the form")
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise TokenRefused("invalid_client", "authenticate by HTTP Basic or in the form")
    try:
        pair = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise TokenRefused("invalid_client", "Basic credentials are base64 of id:secret") from None
    client_id, _, secret = pair.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)  # 2.3.1: form-encoded before Basic


def _read_lifetime(text: str) -> int:
    if not _lifetime.fullmatch(text) or not 0 < int(text) <= LIFETIME_MAX_S:
        raise TokenRefused("invalid_request", f"lifetime_s must be 1 to {LIFETIME_MAX_S}")
    return int(text)
