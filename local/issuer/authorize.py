"""An authorization request read and checked: RFC 6749 section 4.1.1, RFC 7636 section 4.3, OpenID Connect
Core section 3.1.2.1.

What is wrong with the client or the address to return to is told to the person; all else is told to the
client, at its address (RFC 6749 section 4.1.2.1).
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from local.issuer.clients import Clients
from local.issuer.request import TokenRefused, is_scope

STATE_CHARACTERS_MAX = 1024
_challenge = re.compile(r"[A-Za-z0-9_-]{43}")  # of SHA-256


class Unknown(Exception):
    """A client or an address that is not registered: nobody is sent anywhere."""


class AuthorizationRequest(NamedTuple):
    """What a client asks for; `tenant` and `login_hint` fill the page's fields."""

    client_id: str
    redirect_uri: str
    scope: str
    state: str
    nonce: str
    code_challenge: str
    tenant: str
    login_hint: str

    @property
    def parameters(self) -> dict[str, str]:
        """The same request once more, for the page's form."""
        fixed = {"response_type": "code", "code_challenge_method": "S256"}
        return fixed | {name: text for name, text in self._asdict().items() if text}


def registered(form: Mapping[str, str], clients: Clients) -> str:
    """The redirect_uri of `form`, which is exactly its client's in `clients`. Raises `Unknown`.

    RFC 9700 section 2.1: texts are compared; RFC 8252 section 7.3 would let the port differ.
    """
    client_id, address = form.get("client_id", ""), form.get("redirect_uri", "")
    if client_id not in clients:
        raise Unknown("No client has this client_id.")
    if address != clients[client_id].redirect_uri:
        raise Unknown("The redirect_uri is not the one that is registered for this client.")
    return address


def read_authorization(form: Mapping[str, str], redirect_uri: str) -> AuthorizationRequest:
    """The request in `form`. Raises `TokenRefused` with the code that the client is to be told."""
    if form.get("response_type") != "code":
        raise TokenRefused("unsupported_response_type", "response_type must be code")
    if form.get("code_challenge_method") != "S256":
        raise TokenRefused("invalid_request", "code_challenge_method must be S256")
    if not _challenge.fullmatch(form.get("code_challenge", "")):
        raise TokenRefused("invalid_request", "code_challenge must be a SHA-256 in base64url")
    if not is_scope(form.get("scope", "")):
        raise TokenRefused("invalid_scope", "scope is one or more words separated by one space")
    for name in ("state", "nonce"):
        if len(form.get(name, "")) > STATE_CHARACTERS_MAX:
            limit = f"{name} may have {STATE_CHARACTERS_MAX:,} characters"
            raise TokenRefused("invalid_request", limit)
    if "none" in form.get("prompt", "").split(" "):
        raise TokenRefused("login_required", "this issuer always shows its page")
    if "request" in form or "request_uri" in form:
        raise TokenRefused("request_not_supported", "send the parameters as they are")
    given = {name: form.get(name, "") for name in AuthorizationRequest._fields}
    return AuthorizationRequest(**given | {"redirect_uri": redirect_uri})


def answered(redirect_uri: str, **parameters: str) -> str:
    """The address at which the client is told `parameters`."""
    separator = "&" if urlsplit(redirect_uri).query else "?"
    return redirect_uri + separator + urlencode(parameters)
