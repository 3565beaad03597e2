"""The local issuer's sign-in of users: authorization code with PKCE, refresh tokens, signing out."""

import asyncio
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
import pytest

from contracts.problems import Problem
from local.issuer.grants import CODE_LIFETIME_S, REFRESH_LIFETIME_S, Grants, SignIn, challenge_of
from local.issuer.request import TokenRefused
from service.access.keys import SigningKeys
from service.access.verifier import Verifier
from service.connections import Access
from tests.processes import free_port, running_module

REDIRECT, SIGNED_OUT = "http://127.0.0.1:9/back", "http://127.0.0.1:9/signed-out"
OTHER_REDIRECT = "http://127.0.0.1:9/other?kept=1"
VERIFIER = secrets.token_urlsafe(32)


class Front:
    """A running issuer as a browser and a client use it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.metadata = httpx.get(f"{url}/.well-known/openid-configuration").json()

    def asked(self, **changes: Any) -> dict[str, str]:
        """A good authorization request, with `changes`; None leaves one out."""
        good: dict[str, Any] = {
            "response_type": "code",
            "client_id": "console",
            "redirect_uri": REDIRECT,
            "scope": "openid offline_access authentication",
            "state": "the state",
            "nonce": "the nonce",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
        }
        return {name: text for name, text in (good | changes).items() if text is not None}

    def authorize(self, **changes: Any) -> httpx.Response:
        """The answer to the page's form."""
        form = self.asked(**{"tenant": "acme", "user": "dana"} | changes)
        return httpx.post(self.metadata["authorization_endpoint"], data=form)

    def code(self, **changes: Any) -> str:
        return str(told(self.authorize(**changes))["code"])

    def redeem(self, code: str, **changes: Any) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "client_id": "console",
            "redirect_uri": REDIRECT,
            "code": code,
            "code_verifier": VERIFIER,
        }
        return self.ask(**form | changes)

    def refresh(self, token: str, **changes: Any) -> httpx.Response:
        form = {"grant_type": "refresh_token", "client_id": "console", "refresh_token": token}
        return self.ask(**form | changes)

    def ask(self, **form: Any) -> httpx.Response:
        kept = {name: text for name, text in form.items() if text is not None}
        return httpx.post(self.metadata["token_endpoint"], data=kept)

    def signed_in(self) -> dict[str, Any]:
        answer = self.redeem(self.code())
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def told(answer: httpx.Response) -> dict[str, str]:
    """What a redirect tells the client."""
    assert answer.status_code == 303, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    folder = str(tmp_path_factory.mktemp("issuer"))
    arguments = ["--path", folder, "--port", str(port), "--lifetime", "600"]
    arguments += ["--client", f"console={REDIRECT},{SIGNED_OUT}"]
    arguments += ["--client", f"other={OTHER_REDIRECT},{SIGNED_OUT}"]
    with running_module("local.issuer", *arguments, ready=f"{url}/healthz"):
        yield Front(url)


def refused(answer: httpx.Response) -> str:
    assert answer.status_code in (400, 401), answer.text
    assert answer.headers["cache-control"] == "no-store"
    return str(answer.json()["error"])


def test_a_user_signs_in_on_a_page_and_a_service_takes_the_token(front: Front) -> None:
    page = httpx.get(front.metadata["authorization_endpoint"], params=front.asked())
    assert page.status_code == 200
    assert "asks for no password" in page.text
    assert "<script" not in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    answer = told(front.authorize())
    assert (answer["state"], answer["iss"]) == ("the state", front.url)
    tokens = front.redeem(answer["code"]).json()
    access = Access(issuer=front.url, jwks_url=front.metadata["jwks_uri"])
    headers = {
        b"authorization": f"Bearer {tokens['access_token']}".encode(),
        b"x-twc-tenant": b"acme",
    }
    grant = asyncio.run(Verifier(access, SigningKeys(access)).grant(headers))
    assert (grant.tenant, grant.subject) == ("acme", "dana")
    assert tokens["expires_in"] == 600


def test_the_id_token_is_for_the_client_and_is_no_access_token(front: Front) -> None:
    token = front.signed_in()["id_token"]
    access = Access(issuer=front.url, jwks_url=front.metadata["jwks_uri"], token_types=("jwt",))
    keys = SigningKeys(access)
    key = asyncio.run(keys.get(jwt.get_unverified_header(token)["kid"], "RS256"))
    assert key is not None
    claims = jwt.decode(token, key, audience="console", issuer=front.url)
    assert (claims["sub"], claims["nonce"]) == ("dana", "the nonce")
    assert claims["auth_time"] <= claims["iat"]
    headers = {b"authorization": f"Bearer {token}".encode(), b"x-twc-tenant": b"acme"}
    with pytest.raises(Problem, match="aud does not hold this API"):
        asyncio.run(Verifier(access, keys).tenant(headers))


def test_without_the_scopes_there_is_no_id_token_and_no_refresh_token(front: Front) -> None:
    answer = front.redeem(front.code(scope="authentication")).json()
    assert answer.keys() == {"access_token", "token_type", "expires_in", "scope"}


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "http://127.0.0.1:9/back/"},
        {"redirect_uri": "http://127.0.0.1:9/back?x=1"},
        {"redirect_uri": "http://localhost:9/back"},
        {"redirect_uri": "http://127.0.0.1:9@evil.example/back"},
        {"redirect_uri": "https://evil.example"},
        {"redirect_uri": OTHER_REDIRECT},
        {"redirect_uri": None},
        {"client_id": "nobody"},
        {"client_id": None},
    ],
)
def test_an_address_that_is_not_registered_is_never_led_to(
    front: Front, changes: dict[str, Any]
) -> None:
    for answer in (
        front.authorize(**changes),
        httpx.get(front.metadata["authorization_endpoint"], params=front.asked(**changes)),
    ):
        assert answer.status_code == 400
        assert "location" not in answer.headers
        assert "evil.example" not in answer.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"nonce": "n" * 1025}, "invalid_request"),
    ],
)
def test_what_else_is_wrong_is_told_to_the_client(
    front: Front, changes: dict[str, Any], error: str
) -> None:
    answer = told(front.authorize(**changes))
    assert (answer["error"], answer["state"], answer["iss"]) == (error, "the state", front.url)
    assert "code" not in answer


def test_a_parameter_that_comes_twice_is_refused(front: Front) -> None:
    url = front.metadata["authorization_endpoint"]
    params = httpx.QueryParams(front.asked()).add("redirect_uri", "https://evil.example")
    assert httpx.get(url, params=params).status_code == 400


@pytest.mark.parametrize(
    ("typed", "hint"),
    [({"tenant": "no tenant"}, "A tenant"), ({"user": '"><script>'}, "A user"), ({"user": ""}, "")],
)
def test_the_page_says_what_is_wrong_with_a_name_and_shows_it_as_text(
    front: Front, typed: dict[str, str], hint: str
) -> None:
    answer = front.authorize(**typed)
    if hint:
        assert answer.status_code == 400
        assert hint in answer.text
    assert "<script" not in answer.text


def test_an_address_with_a_query_keeps_it(front: Front) -> None:
    answer = front.authorize(client_id="other", redirect_uri=OTHER_REDIRECT)
    assert told(answer)["kept"] == "1"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": secrets.token_urlsafe(32)}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_grant"),
        ({"redirect_uri": OTHER_REDIRECT}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"client_id": "other"}, "invalid_grant"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_id": None}, "invalid_client"),
        ({"client_secret": "guess"}, "invalid_client"),
    ],
)
def test_a_code_is_of_one_client_address_and_verifier(
    front: Front, changes: dict[str, Any], error: str
) -> None:
    assert refused(front.redeem(front.code(), **changes)) == error


def test_a_code_that_comes_twice_ends_what_it_brought(front: Front) -> None:
    code = front.code()
    tokens = front.redeem(code).json()
    assert refused(front.redeem(code)) == "invalid_grant"
    assert refused(front.refresh(tokens["refresh_token"])) == "invalid_grant"


def test_a_refresh_token_changes_with_each_use_and_reuse_ends_the_sign_in(front: Front) -> None:
    first = front.signed_in()["refresh_token"]
    answer = front.refresh(first)
    assert answer.status_code == 200
    second = answer.json()["refresh_token"]
    assert second != first
    assert refused(front.refresh(first)) == "invalid_grant"
    assert refused(front.refresh(second)) == "invalid_grant"


def test_a_refresh_token_is_of_its_client(front: Front) -> None:
    token = front.signed_in()["refresh_token"]
    assert refused(front.refresh(token, client_id="other")) == "invalid_grant"
    assert front.refresh(token).status_code == 200


def test_signing_out_ends_the_refresh_token_and_leads_back_to_the_registered_page(
    front: Front,
) -> None:
    tokens = front.signed_in()
    form = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": SIGNED_OUT}
    answer = httpx.get(front.metadata["end_session_endpoint"], params=form | {"state": "s"})
    assert answer.headers["location"] == f"{SIGNED_OUT}?state=s"
    assert refused(front.refresh(tokens["refresh_token"])) == "invalid_grant"


@pytest.mark.parametrize("address", ["https://evil.example/", f"{SIGNED_OUT}/", ""])
def test_signing_out_leads_to_no_other_address(front: Front, address: str) -> None:
    form = {"client_id": "console", "post_logout_redirect_uri": address}
    answer = httpx.get(front.metadata["end_session_endpoint"], params=form)
    assert (answer.status_code, answer.headers.get("location")) == (200, None)
    assert "Signed out" in answer.text


def test_only_a_token_of_the_issuer_signs_out(front: Front) -> None:
    tokens = front.signed_in()
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    forged = jwt.encode(claims, "a secret that is long enough for HMAC", headers={"typ": "JWT"})
    for hint in (forged, tokens["access_token"], "no token"):
        httpx.get(front.metadata["end_session_endpoint"], params={"id_token_hint": hint})
    assert front.refresh(tokens["refresh_token"]).status_code == 200


def test_a_revoked_refresh_token_is_refused_and_a_guess_revokes_nothing(front: Front) -> None:
    token = front.signed_in()["refresh_token"]

    def revoke(given: str) -> None:
        form = {"client_id": "console", "token": given}
        answer = httpx.post(front.metadata["revocation_endpoint"], data=form)
        assert answer.status_code == 200

    revoke("unknown")
    revoke(token.partition(".")[0] + ".guess")
    token = front.refresh(token).json()["refresh_token"]
    revoke(token)
    assert refused(front.refresh(token)) == "invalid_grant"


SIGN_IN = SignIn("id", "c", "r", "s", "n", challenge_of(VERIFIER), "acme", "dana", 0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("local.issuer.grants.time.time", lambda: now[0])
    return now


def test_a_code_lives_for_a_minute(clock: list[float]) -> None:
    grants = Grants()
    code = grants.code(SIGN_IN)
    clock[0] += CODE_LIFETIME_S
    form = {"code": code, "redirect_uri": "r", "code_verifier": VERIFIER}
    with pytest.raises(TokenRefused, match="has expired"):
        grants.redeem(form, "c")


def test_a_refresh_token_lives_as_long_as_it_is_used(clock: list[float]) -> None:
    grants = Grants()
    for _ in range(3):
        token = grants.refresh_token(SIGN_IN)
        clock[0] += REFRESH_LIFETIME_S - 1
        assert grants.refreshed({"refresh_token": token}, "c") == SIGN_IN
    clock[0] += 1
    with pytest.raises(TokenRefused, match="has expired"):
        grants.refreshed({"refresh_token": token}, "c")


def test_the_challenge_is_that_of_rfc_7636_appendix_b() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
