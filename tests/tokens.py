"""Tokens of an issuer of our own, right and wrong, and the verifier that judges them."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from contracts.problems import Problem
from service.access.keys import SigningKeys
from service.access.verifier import Verifier
from service.connections import Access

KEY = generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Issuer:
    """A JWKS endpoint that counts its requests; `keys` by id, `body` to answer something else."""

    keys: dict[str, RSAPrivateKey] = field(default_factory=lambda: {"one": KEY})
    body: bytes | None = None
    drips: bool = False
    requests: int = 0
    url: str = ""

    def document(self) -> bytes:
        if self.body is not None:
            return self.body
        to_jwk = jwt.algorithms.RSAAlgorithm.to_jwk
        keys = [
            to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "alg": "RS256", "use": "sig"}
            for kid, key in self.keys.items()
        ]
        return json.dumps({"keys": keys}).encode()


@contextmanager
def serving() -> Iterator[Issuer]:
    """An issuer on a free port, for as long as the context is open."""
    made = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.requests += 1
            self.send_response(200)
            self.end_headers()
            if not made.drips:
                self.wfile.write(made.document())
                return
            with suppress(OSError):  # until the client has had enough
                while made.drips:
                    self.wfile.write(b" ")
                    stopped.wait(0.02)

        def log_message(self, *arguments: object) -> None:
            """Keep the test's output clean."""

    stopped = Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield made
        stopped.set()
        server.shutdown()
        thread.join()


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    made = {
        "iss": "https://issuer",
        "aud": "events-api",
        "sub": "client",
        "client_id": "client",
        "iat": now,
        "exp": now + 600,
        "jti": "1",
        "scope": "authentication",
        "tenant": "acme",
    } | changes
    return {name: value for name, value in made.items() if value is not ...}


def token(
    payload: dict[str, Any] | None = None, key: Any = KEY, alg: str = "RS256", **headers: Any
) -> str:
    shown = {"kid": "one", "typ": "at+jwt"} | headers
    return jwt.encode(payload or claims(), key, algorithm=alg, headers=shown)


def verifier(issuer: Issuer, **changes: Any) -> Verifier:
    access = Access(issuer="https://issuer", jwks_url=issuer.url, **changes)
    return Verifier(access, SigningKeys(access))


def headers(authorization: str | None, tenant: str | None = "acme") -> dict[bytes, bytes]:
    given = {b"authorization": authorization, b"x-twc-tenant": tenant}
    return {name: text.encode() for name, text in given.items() if text is not None}


def tenant_of(issuer: Issuer, authorization: str | None, tenant: str | None = "acme") -> str:
    return asyncio.run(verifier(issuer).tenant(headers(authorization, tenant)))


def refusal(issuer: Issuer, authorization: str | None, tenant: str | None = "acme") -> Problem:
    with pytest.raises(Problem) as refused:
        tenant_of(issuer, authorization, tenant)
    return refused.value
