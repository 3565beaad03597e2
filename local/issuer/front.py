"""What a browser sees of the issuer: /authorize and /end-session (OpenID Connect RP-Initiated Logout 1.0)."""

import re
import secrets
import time

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from contracts.tenants import is_tenant
from local.issuer.authorize import (
    AuthorizationRequest,
    Unknown,
    answered,
    read_authorization,
    registered,
)
from local.issuer.clients import Clients, origin
from local.issuer.grants import Grants, SignIn
from local.issuer.keys import Keys
from local.issuer.pages import sign_in_page, told_page
from local.issuer.request import TokenRefused, read_body, read_form, read_parameters

TENANT, USER = "acme", "developer"
"""What the page suggests."""
_user = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._+-]{0,63}")


class Front:
    """The endpoints."""

    def __init__(self, issuer: str, clients: Clients, grants: Grants, keys: Keys) -> None:
        self._issuer = issuer
        self._clients = clients
        self._grants = grants
        self._keys = keys

    async def authorize(self, request: Request) -> Response:
        """GET shows the page; POST is its form and leads back to the client with a code."""
        try:
            form = await _parameters(request)
            address = registered(form, self._clients)
        except (Unknown, TokenRefused) as error:
            return told_page("This sign-in cannot go on", str(error), 400)
        try:
            asked = read_authorization(form, address)
        except TokenRefused as refused:
            told = {"error": refused.code, "error_description": str(refused)}
            return self._back(address, form.get("state", ""), told)
        tenant = form.get("tenant", TENANT)
        user = form.get("user", form.get("login_hint", USER))
        wrong = _wrong(tenant, user) if request.method == "POST" else ""
        if request.method == "GET" or wrong:
            return sign_in_page(asked.parameters, tenant, user, wrong, origin(address))
        return self._back(address, asked.state, {"code": self._code(asked, tenant, user)})

    async def end_session(self, request: Request) -> Response:
        """Ends the sign-in that an ID token names, and leads back to an address of its client's."""
        try:
            form = await _parameters(request)
        except TokenRefused as refused:
            return told_page("Not signed out", str(refused), 400)
        claims = self._keys.read(form.get("id_token_hint", ""), "JWT") or {}
        self._grants.end(claims.get("sid", ""))
        client = self._clients.get(claims.get("aud", form.get("client_id", "")))
        address = form.get("post_logout_redirect_uri", "")
        if client is None or address != client.signed_out_uri:
            return told_page("Signed out", "You may close this page.", 200)
        state = {"state": form["state"]} if "state" in form else {}
        return _redirect(answered(address, **state) if state else address)

    def _code(self, asked: AuthorizationRequest, tenant: str, user: str) -> str:
        sign_in = SignIn(
            id=secrets.token_urlsafe(16),
            client_id=asked.client_id,
            redirect_uri=asked.redirect_uri,
            scope=asked.scope,
            nonce=asked.nonce,
            challenge=asked.code_challenge,
            tenant=tenant,
            user=user,
            began=int(time.time()),
        )
        return self._grants.code(sign_in)

    def _back(self, address: str, state: str, parameters: dict[str, str]) -> Response:
        told = parameters | {"iss": self._issuer}  # RFC 9207
        return _redirect(answered(address, **told | ({"state": state} if state else {})))


async def _parameters(request: Request) -> dict[str, str]:
    """Raises `TokenRefused`."""
    if request.method == "POST":
        return read_form(request.headers.get("content-type", ""), await read_body(request))
    return read_parameters(request.scope["query_string"])


def _wrong(tenant: str, user: str) -> str:
    if not is_tenant(tenant):
        return "A tenant's name is 1 to 64 ASCII letters, digits, '.', '_' or '-'."
    if not _user.fullmatch(user):
        return "A user's name is 1 to 64 ASCII letters, digits, '@', '.', '_', '+' or '-'."
    return ""


def _redirect(address: str) -> Response:
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(address, 303, headers)
