"""Tokens that nobody may come in with. To add one: a line in `TOKENS`, its name and how it is made.

Each is a good token but for the one thing that its name says, and each is answered 401.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.access.verifier import TOKEN_BYTES_MAX
from tests.tokens import KEY, OTHER_KEY, Issuer, claims, refusal, serving, tenant_of, token

HEAD = {"alg": "RS256", "typ": "at+jwt", "kid": "one"}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""Of base64url (RFC 4648 section 5)."""


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def signed(head: str, payload: str, sign: Callable[[bytes], bytes] | None = None) -> str:
    """A token of two texts as they are, signed with the issuer's key."""
    signing_input = f"{encoded(head.encode())}.{encoded(payload.encode())}"
    rs256 = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256)
    signature = (sign or (lambda text: rs256.sign(text, KEY)))(signing_input.encode())
    return f"{signing_input}.{encoded(signature)}"


def headed(**changes: Any) -> str:
    return signed(json.dumps(HEAD | changes), json.dumps(claims()))


def with_the_public_key(text: bytes) -> bytes:
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return hmac.new(pem, text, hashlib.sha256).digest()


def in_another_spelling() -> str:
    """The unused bits of the signature's last character set: it decodes to the same bytes."""
    good = token()
    return good[:-1] + ALPHABET[ALPHABET.index(good[-1]) + 1]


def twice(text: str, member: str) -> str:
    return text[:-1] + ", " + member + "}"


def now(seconds: float = 0) -> int:
    return int(time.time() + seconds)


TOKENS: dict[str, Callable[[], str]] = {
    # no token
    "a word": lambda: "abc",
    "four parts": lambda: token() + ".x",
    "more than 8 KiB": lambda: token(claims(note="x" * TOKEN_BYTES_MAX)),
    # another spelling of a good one
    "padded": lambda: token() + "==",
    "padded by one": lambda: token() + "=",
    "unused bits of the signature set": in_another_spelling,
    "a line break within": lambda: token()[:-4] + "\n" + token()[-4:],
    "the alphabet of plain base64": lambda: token().replace("-", "+").replace("_", "/") + "/",
    # the head
    "alg none": lambda: signed(json.dumps(HEAD | {"alg": "none"}), "{}", lambda _: b""),
    "alg twice": lambda: signed(twice(json.dumps(HEAD), '"alg": "RS256"'), json.dumps(claims())),
    "kid twice": lambda: signed(twice(json.dumps(HEAD), '"kid": "one"'), json.dumps(claims())),
    "alg as a list": lambda: headed(alg=["RS256"]),
    "the public key as a secret": lambda: signed(
        json.dumps(HEAD | {"alg": "HS256"}), json.dumps(claims()), with_the_public_key
    ),
    "an algorithm that is not allowed": lambda: token(alg="PS256"),
    "an unknown key id": lambda: token(kid="two"),
    "a key id that is a path": lambda: token(kid="../../etc/passwd"),
    "a key id that is a number": lambda: headed(kid=1),
    "a critical extension": lambda: token(crit=["x"], x=1),
    "the type of an id token": lambda: token(typ="JWT"),
    "a head that is a list": lambda: signed("[]", json.dumps(claims())),
    "a head 3,000 lists deep": lambda: signed("[" * 3000, json.dumps(claims())),
    "claims 3,000 lists deep": lambda: signed(json.dumps(HEAD), "[" * 3000),
    # the signature
    "another's key": lambda: token(key=OTHER_KEY),
    "a broken signature": lambda: token()[:-6] + "AAAAAA",
    "an empty signature": lambda: token().rpartition(".")[0] + ".",
    # the claims
    "a claim twice": lambda: signed(
        json.dumps(HEAD), twice(json.dumps(claims()), '"tenant": "other"')
    ),
    "another issuer": lambda: token(claims(iss="https://issuer/")),
    "another audience": lambda: token(claims(aud="events-api-x")),
    "no audience": lambda: token(claims(aud=...)),
    "no expiry": lambda: token(claims(exp=...)),
    "an expiry that is text": lambda: token(claims(exp=str(now(600)))),
    "an expiry that is a fraction": lambda: token(claims(exp=time.time() + 600.5)),
    "an expiry that is true": lambda: token(claims(exp=True)),
    "expired beyond the leeway": lambda: token(claims(exp=now(-31))),
    "issued in the future": lambda: token(claims(iat=now(40))),
    "not valid yet": lambda: token(claims(nbf=now(40))),
    "a life of more than a day": lambda: token(claims(exp=now(2 * 86_400))),
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with serving() as made:
        yield made


def test_the_tokens_that_the_attacks_are_made_of_are_let_in(issuer: Issuer) -> None:
    assert tenant_of(issuer, f"Bearer {token()}") == "acme"
    assert tenant_of(issuer, f"Bearer {headed()}") == "acme"


@pytest.mark.parametrize("made", TOKENS.values(), ids=TOKENS.keys())
def test_a_bad_token_is_unauthorised_and_named_so(issuer: Issuer, made: Callable[[], str]) -> None:
    problem = refusal(issuer, f"Bearer {made()}")
    assert problem.status == 401
    assert 'error="invalid_token"' in problem.headers["WWW-Authenticate"]
