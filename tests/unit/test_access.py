"""Who may call: credentials, scope and tenant."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from contracts.problems import Problem
from tests.tokens import (
    Issuer,
    claims,
    headers,
    refusal,
    serving,
    tenant_of,
    token,
    verifier,
)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with serving() as made:
        yield made


def test_a_token_of_the_issuer_for_the_tenant_is_let_in(issuer: Issuer) -> None:
    assert tenant_of(issuer, f"Bearer {token()}") == "acme"
    assert tenant_of(issuer, f"bearer {token(claims(aud=['x', 'events-api']))}") == "acme"
    assert tenant_of(issuer, f"Bearer {token(typ='application/at+jwt')}") == "acme"


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


@pytest.mark.parametrize("scope", ["a authentication", ["authentication"], ["a", "authentication"]])
def test_the_scope_is_a_word_of_a_text_or_of_a_list(issuer: Issuer, scope: Any) -> None:
    assert tenant_of(issuer, f"Bearer {token(claims(scope=scope))}") == "acme"


async def test_the_scopes_may_be_in_another_claim(issuer: Issuer) -> None:
    """Okta's are a list and Entra's a text, both in `scp`."""
    judge = verifier(issuer, scope_claim="scp")
    for scopes in ("authentication", ["a", "authentication"]):
        given = f"Bearer {token(claims(scope=..., scp=scopes))}"
        assert await judge.tenant(headers(given)) == "acme"
    with pytest.raises(Problem, match="lacks the scope"):
        await judge.tenant(headers(f"Bearer {token(claims())}"))


NO_SCOPE: list[Any] = [
    *(..., "", "authentications", "other", "x-authentication", None, 1, True),
    *([], ["x authentication"], ["authentication", 1], [["authentication"]]),
    {"authentication": True},
]


@pytest.mark.parametrize("scope", NO_SCOPE, ids=str)
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
