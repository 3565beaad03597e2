"""Who may call: every way a token, a header or the issuer can be wrong."""

import asyncio
import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.access import TOKEN_BYTES_MAX, Verifier
from contracts.connections import Access
from contracts.keys import SigningKeys
from contracts.problems import Problem

KEY = generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Issuer:
    """A JWKS endpoint that counts its requests; `keys` by id, `body` to answer something else."""

    keys: dict[str, RSAPrivateKey] = field(default_factory=lambda: {"one": KEY})
    body: bytes | None = None
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


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.requests += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(made.document())

        def log_message(self, *arguments: object) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield made
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


def test_a_token_of_the_issuer_for_the_tenant_is_let_in(issuer: Issuer) -> None:
    assert tenant_of(issuer, f"Bearer {token()}") == "acme"
    assert tenant_of(issuer, f"bearer {token(claims(aud=['x', 'events-api']))}") == "acme"
    assert tenant_of(issuer, f"Bearer {token(typ='application/at+jwt')}") == "acme"


def unsigned(header: dict[str, Any], payload: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in (header, payload)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def signed_with_the_public_key() -> str:
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = unsigned({"alg": "HS256", "typ": "at+jwt", "kid": "one"}, claims())[:-1]
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    import hashlib
    import hmac

    assert mac is not None
    signature = hmac.new(pem, head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def twice_the_tenant() -> str:
    payload = json.dumps(claims())[:-1] + ', "tenant": "other"}'
    shown = {"kid": "one", "typ": "at+jwt"}
    return jwt.PyJWS().encode(payload.encode(), KEY, algorithm="RS256", headers=shown)


BAD_TOKENS: dict[str, Callable[[], str]] = {
    "not a token": lambda: "abc",
    "alg none": lambda: unsigned({"alg": "none", "typ": "at+jwt", "kid": "one"}, claims()),
    "the public key as a secret": signed_with_the_public_key,
    "an algorithm that is not allowed": lambda: token(alg="PS256"),
    "another's key": lambda: token(key=OTHER_KEY),
    "an unknown key id": lambda: token(kid="two"),
    "a key id that is a path": lambda: token(kid="../../etc/passwd"),
    "a critical extension": lambda: token(crit=["x"], x=1),
    "the type of an id token": lambda: token(typ="JWT"),
    "a broken signature": lambda: token()[:-6] + "AAAAAA",
    "four parts": lambda: token() + ".x",
    "more than 8 KiB": lambda: token(claims(note="x" * TOKEN_BYTES_MAX)),
    "another issuer": lambda: token(claims(iss="https://issuer/")),
    "another audience": lambda: token(claims(aud="events-api-x")),
    "no audience": lambda: token(claims(aud=...)),
    "no expiry": lambda: token(claims(exp=...)),
    "an expiry that is text": lambda: token(claims(exp=str(int(time.time()) + 600))),
    "an expiry that is a fraction": lambda: token(claims(exp=time.time() + 600.5)),
    "an expiry that is true": lambda: token(claims(exp=True)),
    "expired beyond the leeway": lambda: token(claims(exp=int(time.time()) - 31)),
    "issued in the future": lambda: token(claims(iat=int(time.time()) + 40)),
    "not valid yet": lambda: token(claims(nbf=int(time.time()) + 40)),
    "a life of more than a day": lambda: token(claims(exp=int(time.time()) + 2 * 86_400)),
    "a claim twice": twice_the_tenant,
}


@pytest.mark.parametrize("bad", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
def test_a_bad_token_is_unauthorised_and_named_so(issuer: Issuer, bad: Callable[[], str]) -> None:
    problem = refusal(issuer, f"Bearer {bad()}")
    assert problem.status == 401
    assert 'error="invalid_token"' in problem.headers["WWW-Authenticate"]


def test_a_token_within_the_leeway_is_let_in(issuer: Issuer) -> None:
    now = int(time.time())
    assert tenant_of(issuer, f"Bearer {token(claims(exp=now - 20))}") == "acme"
    assert tenant_of(issuer, f"Bearer {token(claims(iat=now + 20))}") == "acme"


@pytest.mark.parametrize("authorization", [None, "Basic YTpi"])
def test_without_credentials_the_challenge_names_no_error(
    issuer: Issuer, authorization: str | None
) -> None:
    problem = refusal(issuer, authorization)
    assert problem.status == 401
    assert "error" not in problem.headers["WWW-Authenticate"]


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer ", "Bearer a b"])
def test_a_malformed_authorization_is_a_bad_request(issuer: Issuer, authorization: str) -> None:
    assert refusal(issuer, authorization).status == 400


@pytest.mark.parametrize("scope", [..., "", "authentications", "other", "x-authentication"])
def test_a_token_without_the_scope_is_forbidden(issuer: Issuer, scope: Any) -> None:
    problem = refusal(issuer, f"Bearer {token(claims(scope=scope))}")
    assert problem.status == 403
    assert 'error="insufficient_scope"' in problem.headers["WWW-Authenticate"]


@pytest.mark.parametrize("claimed", [None, "", "a/b", "../x", "ac\u00e9", "x" * 65, "-acme"])
def test_a_tenant_header_that_names_no_tenant_is_a_bad_request(
    issuer: Issuer, claimed: str | None
) -> None:
    assert refusal(issuer, f"Bearer {token()}", claimed).status == 400


@pytest.mark.parametrize("claimed", ["other", "ACME"])
def test_a_tenant_that_is_not_the_tokens_is_forbidden(issuer: Issuer, claimed: str) -> None:
    assert refusal(issuer, f"Bearer {token()}", claimed).status == 403


def test_a_key_that_is_rotated_in_is_accepted_and_one_rotated_out_refused(issuer: Issuer) -> None:
    async def story() -> None:
        checked = verifier(issuer, keys_cooldown_s=0, keys_refresh_s=0.01)
        old = f"Bearer {token()}"
        assert await checked.tenant(headers(old)) == "acme"
        issuer.keys = {"two": OTHER_KEY}
        new = f"Bearer {token(key=OTHER_KEY, kid='two')}"
        assert await checked.tenant(headers(new)) == "acme"
        with pytest.raises(Problem):  # another token of the old key: that one is remembered
            await checked.tenant(headers(f"Bearer {token(claims(jti='2'))}"))

    asyncio.run(story())


def test_ten_thousand_unknown_keys_ask_the_issuer_once(issuer: Issuer) -> None:
    async def story() -> None:
        access = Access(issuer="https://issuer", jwks_url=issuer.url)
        keys = SigningKeys(access)
        assert await keys.get("one", "RS256") is not None
        for number in range(10_000):
            assert await keys.get(f"unknown-{number}", "RS256") is None

    asyncio.run(story())
    assert issuer.requests == 1


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"keys": []}', b"[1]"])
def test_an_issuer_that_answers_nonsense_leaves_the_last_good_keys(
    issuer: Issuer, body: bytes
) -> None:
    async def story() -> None:
        access = Access(jwks_url=issuer.url, keys_cooldown_s=0)
        keys = SigningKeys(access)
        assert await keys.get("one", "RS256") is not None
        issuer.body = body
        assert await keys.get("two", "RS256") is None
        assert await keys.get("one", "RS256") is not None

    asyncio.run(story())
