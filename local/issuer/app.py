"""The issuer's endpoints: discovery (RFC 8414), keys (RFC 7517), tokens (RFC 6749, RFC 9068)."""

import ipaddress
import time
import uuid
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from local.issuer.keys import Keys, client_secret
from local.issuer.request import SCOPE, TokenRefused, TokenRequest, read_request

FORM_BYTES_MAX = 16 * 1024
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749 section 5.1


def create_app(folder: Path, issuer: str, audience: str) -> Starlette:
    """The ASGI application; its secrets lie in `folder`, its tokens say `issuer` and `audience`."""
    keys, secret = Keys(folder), client_secret(folder)

    async def metadata(request: Request) -> Response:
        return JSONResponse(discovery(issuer))

    async def jwks(request: Request) -> Response:
        return JSONResponse(keys.published())

    async def token(request: Request) -> Response:
        headers = request.headers
        try:
            asked = read_request(
                headers.get("content-type", ""),
                headers.get("authorization", ""),
                await _read_body(request),
                secret,
            )
        except TokenRefused as refused:
            return _refusal(refused)
        answer = {
            "access_token": keys.sign(claims(asked, issuer, audience)),
            "token_type": "Bearer",
            "expires_in": asked.lifetime_s,
            "scope": asked.scope,
        }
        return JSONResponse(answer, headers=NO_STORE)

    async def rotate(request: Request) -> Response:
        if not _is_loopback(request):
            return PlainTextResponse("Keys are rotated from the issuer's own machine only.\n", 403)
        return JSONResponse({"kid": keys.rotate()})

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    return Starlette(
        routes=[
            Route("/.well-known/oauth-authorization-server", metadata),
            Route("/.well-known/openid-configuration", metadata),
            Route("/jwks", jwks),
            Route("/token", token, methods=["POST"]),
            Route("/rotate", rotate, methods=["POST"]),
            Route("/healthz", healthz),
        ]
    )


def discovery(issuer: str) -> dict[str, str | list[str]]:
    """The metadata document (RFC 8414 section 2)."""
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/jwks",
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": [SCOPE],
        "response_types_supported": [],  # required, and no front channel is offered
    }


def claims(asked: TokenRequest, issuer: str, audience: str) -> dict[str, str | int]:
    """The claims of an access token (RFC 9068 section 2.2) and ours, `tenant`."""
    now = int(time.time())
    return {
        "iss": issuer,
        "aud": audience,
        "sub": asked.client_id,
        "client_id": asked.client_id,
        "tenant": asked.client_id,
        "scope": asked.scope,
        "iat": now,
        "exp": now + asked.lifetime_s,
        "jti": str(uuid.uuid4()),
    }


async def _read_body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES_MAX:
            raise TokenRefused("invalid_request", f"the form may have {FORM_BYTES_MAX:,} bytes")
    return body


def _refusal(refused: TokenRefused) -> Response:
    """An error answer of RFC 6749 section 5.2."""
    body = {"error": refused.code, "error_description": str(refused)}
    if refused.code == "invalid_client":
        return JSONResponse(body, 401, NO_STORE | {"WWW-Authenticate": 'Basic realm="token"'})
    return JSONResponse(body, 400, NO_STORE)


def _is_loopback(request: Request) -> bool:
    return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
