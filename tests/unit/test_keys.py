"""The issuer's keys over time: rotated, removed, ambiguous, and an issuer that cannot be asked."""

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from contracts.problems import Problem
from service.access.jwks import DOCUMENT_BYTES_MAX, UnreadableKeys, read_keys
from service.access.keys import SigningKeys
from service.access.verifier import Verifier
from service.connections import Access
from tests.tokens import KEY, OTHER_KEY, Issuer, claims, headers, serving, token, verifier

ACCESS = Access()


class Clock:
    """Time as the verifier and the keys see it: the real one, put forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead_s = 0.0
        seen = SimpleNamespace(
            time=lambda: time.time() + self.ahead_s,
            monotonic=lambda: time.monotonic() + self.ahead_s,
        )
        monkeypatch.setattr("service.access.verifier.time", seen)
        monkeypatch.setattr("service.access.keys.time", seen)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with serving() as made:
        yield made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def status(checked: Verifier, authorization: str) -> int:
    """200 for a token that is let in, else the code of the answer."""
    given = headers(authorization)
    try:
        assert checked.known(given) == "acme" or await checked.tenant(given) == "acme"
    except Problem as problem:
        return problem.status
    return 200


def bearer(jti: str = "1", **made: Any) -> str:
    return f"Bearer {token(claims(jti=jti), **made)}"


async def test_a_removed_key_verifies_nothing_after_its_age_however_quiet_it_was(
    issuer: Issuer, clock: Clock
) -> None:
    checked = verifier(issuer)
    assert await status(checked, bearer()) == 200
    clock.ahead_s = ACCESS.keys_refresh_s / 2 - 10
    assert await status(checked, bearer("remembered")) == 200
    issuer.keys = {"two": OTHER_KEY}
    clock.ahead_s = ACCESS.keys_refresh_s
    assert await status(checked, bearer("never seen")) == 401
    assert await status(checked, bearer("remembered")) == 401


async def test_no_token_is_remembered_past_the_age_of_the_keys(
    issuer: Issuer, clock: Clock
) -> None:
    checked = verifier(issuer, keys_refresh_s=40)
    assert await status(checked, bearer()) == 200
    assert checked.known(headers(bearer())) == "acme"
    clock.ahead_s = 41
    assert checked.known(headers(bearer())) is None


async def test_a_rotated_in_key_is_taken_at_once_and_the_tokens_of_one_rotated_out_are_forgotten(
    issuer: Issuer,
) -> None:
    checked = verifier(issuer, keys_cooldown_s=0)
    assert await status(checked, bearer()) == 200
    issuer.keys = {"two": OTHER_KEY}
    assert await status(checked, bearer(key=OTHER_KEY, kid="two")) == 200
    assert await status(checked, bearer()) == 401


async def test_keys_are_fetched_anew_before_anybody_has_to_wait(
    issuer: Issuer, clock: Clock
) -> None:
    keys = SigningKeys(Access(jwks_url=issuer.url))
    assert await keys.get("one", "RS256") is not None
    issuer.drips = True  # whoever waited would wait for this
    clock.ahead_s = ACCESS.keys_refresh_s / 2
    async with asyncio.timeout(ACCESS.keys_timeout_s / 2):
        assert await keys.get("one", "RS256") is not None
    await asyncio.to_thread(requested, issuer, 2)


def requested(issuer: Issuer, times: int) -> None:
    give_up = time.monotonic() + 60
    while issuer.requests < times and time.monotonic() < give_up:
        time.sleep(0.01)
    assert issuer.requests == times


async def test_while_the_issuer_is_away_the_last_keys_serve_for_the_grace_and_then_nobody_comes_in(
    issuer: Issuer, clock: Clock
) -> None:
    checked = verifier(issuer)
    assert await status(checked, bearer()) == 200
    issuer.body = b""
    clock.ahead_s = ACCESS.keys_refresh_s + 1
    assert await status(checked, bearer("2")) == 200
    long_lived = f"Bearer {token(claims(exp=int(time.time()) + 20_000))}"
    clock.ahead_s = ACCESS.keys_refresh_s + ACCESS.keys_grace_s + 1
    assert await status(checked, long_lived) == 503
    issuer.body = None
    clock.ahead_s += ACCESS.keys_cooldown_s
    assert await status(checked, long_lived) == 200


async def test_without_any_key_the_answer_is_503(issuer: Issuer) -> None:
    issuer.body = b"<html>"
    assert await status(verifier(issuer), bearer()) == 503


async def test_an_issuer_that_drips_is_given_up_and_asked_again(issuer: Issuer) -> None:
    keys = SigningKeys(Access(jwks_url=issuer.url, keys_timeout_s=0.2, keys_cooldown_s=0))
    assert await keys.get("one", "RS256") is not None
    issuer.drips, issuer.keys = True, {"two": OTHER_KEY}
    assert await keys.get("two", "RS256") is None
    issuer.drips = False
    assert await keys.get("two", "RS256") is not None


async def test_ten_thousand_unknown_keys_ask_the_issuer_once(issuer: Issuer) -> None:
    keys = SigningKeys(Access(issuer="https://issuer", jwks_url=issuer.url))
    assert await keys.get("one", "RS256") is not None
    for number in range(10_000):
        assert await keys.get(f"unknown-{number}", "RS256") is None
    assert issuer.requests == 1


def jwk(kid: str = "one", **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    return made | {"kid": kid, "use": "sig"} | changes


def key_set(*keys: Any, **members: Any) -> bytes:
    return json.dumps({"keys": keys} | members).encode()


SECRET = {"kty": "oct", "kid": "one", "k": base64.urlsafe_b64encode(b"s" * 32).decode()}
UNREADABLE = {
    "HTML": b"<html>",
    "no keys": b"{}",
    "an empty list": key_set(),
    "a list": b"[1]",
    "keys that are a text": b'{"keys": "one"}',
    "a secret": key_set(SECRET),
    "a key for encryption": key_set(jwk(use="enc")),
    "a key without an id": key_set(jwk(kid="")),
    "a key that is no key": key_set({"kty": "RSA", "kid": "one", "n": "", "e": 3}),
    "one id twice": key_set(jwk(), jwk()),
    "members twice": key_set(jwk())[:-1] + b', "keys": []}',
    "100 keys": key_set(*(jwk(str(number)) for number in range(100))),
    "lists in lists": b"[" * 60_000,
}


@pytest.mark.parametrize("document", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_document_without_a_key_of_use_is_refused(document: bytes) -> None:
    with pytest.raises(UnreadableKeys):
        read_keys(document)


def test_of_two_keys_with_one_id_neither_is_taken_and_the_others_are() -> None:
    kinds = jwk("two", kty="EC")  # another kind does not make the id unambiguous
    assert read_keys(key_set(jwk("two"), kinds, jwk("one"), {"kty": "new", "kid": "x"})).keys() == {
        "one"
    }


TOO_LONG = key_set(jwk("two"), padding="x" * DOCUMENT_BYTES_MAX)


@pytest.mark.parametrize("body", [*UNREADABLE.values(), TOO_LONG], ids=[*UNREADABLE, "too long"])
async def test_an_issuer_that_answers_nonsense_leaves_the_last_good_keys(
    issuer: Issuer, body: bytes
) -> None:
    keys = SigningKeys(Access(jwks_url=issuer.url, keys_cooldown_s=0))
    assert await keys.get("one", "RS256") is not None
    issuer.body = body
    assert await keys.get("two", "RS256") is None
    assert await keys.get("one", "RS256") is not None
