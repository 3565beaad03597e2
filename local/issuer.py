"""`python -m local.issuer --path DIR --port N`: an OAuth 2.0 issuer for one machine.

Client-credentials tokens (RFC 6749 section 4.4) in the JWT profile (RFC 9068), discovery (RFC 8414)
and JWKS. Any client id that is a tenant's name may ask, with the one secret that lies in the
folder: for local use and tests only. Keys are kept, so tokens outlive a restart.
"""

import argparse
import base64
import binascii
import secrets
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from contracts.connections import Http
from contracts.tenants import is_tenant
from service.app import serve
from service.logs import configure

LIFETIME_S = 3600
LIFETIME_MAX_S = 24 * 3600
KEYS_PUBLISHED = 2


class Keys:
    """Signing keys as PEM files in a folder, newest last; the newest signs, two are published."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._paths = sorted(folder.glob("*.pem"))
        if not self._paths:
            self.rotate()

    def rotate(self) -> str:
        """Make a new signing key; returns its id."""
        key = generate_private_key(public_exponent=65537, key_size=2048)
        path = self._folder / f"{time.time_ns()}.pem"
        path.touch(mode=0o600)
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self._paths = [*self._paths, path][-KEYS_PUBLISHED:]
        return path.stem

    def sign(self, claims: dict[str, Any]) -> str:
        """A signed access token."""
        newest = self._paths[-1]
        headers = {"kid": newest.stem, "typ": "at+jwt"}
        return jwt.encode(claims, _load(newest), algorithm="RS256", headers=headers)

    def published(self) -> dict[str, Any]:
        """The JWKS document."""
        keys = []
        for path in self._paths[-KEYS_PUBLISHED:]:
            public = jwt.algorithms.RSAAlgorithm.to_jwk(_load(path).public_key(), as_dict=True)
            keys.append(public | {"kid": path.stem, "use": "sig", "alg": "RS256"})
        return {"keys": keys}


def _load(path: Path) -> RSAPrivateKey:
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError(f"{path} holds no RSA key; remove it")
    return key


def client_secret(folder: Path) -> str:
    """The secret of every local client, made at the first start."""
    path = folder / "client_secret"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24))
    return path.read_text()


def create_app(folder: Path, issuer: str, audience: str) -> Starlette:
    """The ASGI application."""
    keys, secret = Keys(folder), client_secret(folder)

    async def metadata(request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": issuer,
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/jwks",
                "grant_types_supported": ["client_credentials"],
                "token_endpoint_auth_methods_supported": [
                    "client_secret_basic",
                    "client_secret_post",
                ],
                "scopes_supported": ["authentication"],
                "response_types_supported": [],
            }
        )

    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        client, given = _client(request, form)
        if form.get("grant_type") != "client_credentials":
            return _error(400, "unsupported_grant_type", "grant_type must be client_credentials")
        if not is_tenant(client) or not secrets.compare_digest(given.encode(), secret.encode()):
            return _error(401, "invalid_client", "unknown client or wrong secret")
        lifetime_s = form.get("lifetime_s", str(LIFETIME_S))
        if not lifetime_s.isdigit() or not 0 < int(lifetime_s) <= LIFETIME_MAX_S:
            return _error(400, "invalid_request", f"lifetime_s must be 1 to {LIFETIME_MAX_S}")
        now, scope = int(time.time()), form.get("scope", "authentication")
        claims = {
            "iss": issuer,
            "aud": audience,
            "sub": client,
            "client_id": client,
            "tenant": client,
            "scope": scope,
            "iat": now,
            "exp": now + int(lifetime_s),
            "jti": str(uuid.uuid4()),
        }
        return JSONResponse(
            {
                "access_token": keys.sign(claims),
                "token_type": "Bearer",
                "expires_in": int(lifetime_s),
                "scope": scope,
            },
            headers={"Cache-Control": "no-store"},
        )

    async def jwks(request: Request) -> Response:
        return JSONResponse(keys.published())

    async def rotate(request: Request) -> Response:
        return JSONResponse({"kid": keys.rotate()})

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    return Starlette(
        routes=[
            Route("/.well-known/oauth-authorization-server", metadata),
            Route("/.well-known/openid-configuration", metadata),
            Route("/token", token, methods=["POST"]),
            Route("/jwks", jwks),
            Route("/rotate", rotate, methods=["POST"]),
            Route("/healthz", healthz),
        ]
    )


def _client(request: Request, form: dict[str, str]) -> tuple[str, str]:
    """Client id and secret, by Basic authentication or in the form (RFC 6749 section 2.3.1)."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return client, secret
    return form.get("client_id", ""), form.get("client_secret", "")


def _error(status: int, code: str, description: str) -> Response:
    """An error answer of RFC 6749 section 5.2."""
    headers = {"WWW-Authenticate": 'Basic realm="token"'} if status == 401 else {}
    return JSONResponse({"error": code, "error_description": description}, status, headers)


def main() -> None:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m local.issuer", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, help="folder of keys and client secret")
    parser.add_argument("--port", type=int, default=8803, help="port to listen on")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--issuer", help="the tokens' iss; http://127.0.0.1:PORT when left out")
    parser.add_argument("--audience", default="events-api", help="the tokens' aud")
    arguments = parser.parse_args()
    configure("issuer")
    issuer = arguments.issuer or f"http://127.0.0.1:{arguments.port}"
    app = create_app(arguments.path, issuer, arguments.audience)
    serve(app, Http(host=arguments.host, port=arguments.port))


if __name__ == "__main__":
    main()
