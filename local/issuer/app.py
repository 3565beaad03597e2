"""The issuer's endpoints: discovery (RFC 8414, OpenID Connect Discovery 1.0), keys (RFC 7517), all others."""

import ipaddress
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from local.issuer.clients import Clients
from local.issuer.front import Front
from local.issuer.grants import Grants
from local.issuer.keys import Keys
from local.issuer.request import SCOPE
from local.issuer.tokens import Issued, Tokens
from local.private import kept_secret


def create_app(folder: Path, issued: Issued, clients: Clients | None = None) -> Starlette:
    """The ASGI application; its secrets lie in `folder`; `clients` are those that users sign in to."""
    clients = clients or {}
    keys, grants = Keys(folder), Grants()
    secret = kept_secret(folder / "client_secret")
    front = Front(issued.issuer, clients, grants, keys)
    tokens = Tokens(issued, clients, grants, keys, secret)

    async def metadata(request: Request) -> Response:
        return JSONResponse(discovery(issued.issuer))

    async def jwks(request: Request) -> Response:
        return JSONResponse(keys.published())

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
            Route("/authorize", front.authorize, methods=["GET", "POST"]),
            Route("/end-session", front.end_session, methods=["GET", "POST"]),
            Route("/token", tokens.token, methods=["POST"]),
            Route("/revoke", tokens.revoke, methods=["POST"]),
            Route("/rotate", rotate, methods=["POST"]),
            Route("/healthz", healthz),
        ]
    )


def discovery(issuer: str) -> dict[str, str | bool | list[str]]:
    """The metadata document (RFC 8414 section 2, OpenID Connect Discovery section 3)."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "revocation_endpoint": f"{issuer}/revoke",
        "end_session_endpoint": f"{issuer}/end-session",
        "jwks_uri": f"{issuer}/jwks",
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "token_endpoint_auth_methods_supported": [
            *("client_secret_basic", "client_secret_post", "none")
        ],
        "scopes_supported": ["openid", "offline_access", SCOPE],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "authorization_response_iss_parameter_supported": True,  # RFC 9207
    }


def _is_loopback(request: Request) -> bool:
    return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
