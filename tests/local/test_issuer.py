"""The local issuer as a process, and its tokens as the services' own verifier sees them."""

import asyncio
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from contracts.problems import Problem
from local.issuer.app import create_app
from local.issuer.request import FIELDS_MAX
from local.issuer.tokens import Issued
from service.access.keys import SigningKeys
from service.access.verifier import Verifier
from service.connections import Access
from tests.processes import free_port, running_module


class Issuer:
    """A running issuer and its secret."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.secret = (folder / "client_secret").read_text()

    def ask(self, **fields: str) -> httpx.Response:
        """A token request in form style; `fields` come on top of a good one."""
        form = {
            "grant_type": "client_credentials",
            "client_id": "acme",
            "client_secret": self.secret,
        }
        return httpx.post(f"{self.url}/token", data=form | fields)

    def token(self, **fields: str) -> str:
        answer = self.ask(**fields)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def tenant_of(self, token: str, claimed: str = "acme") -> str:
        """What a service makes of `token`, its keys freshly fetched."""
        access = Access(issuer=self.url, jwks_url=f"{self.url}/jwks")
        headers = {
            b"authorization": f"Bearer {token}".encode(),
            b"x-twc-tenant": claimed.encode(),
        }
        return asyncio.run(Verifier(access, SigningKeys(access)).tenant(headers))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("issuer")


@pytest.fixture(scope="module")
def issuer(folder: Path) -> Iterator[Issuer]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ("--path", str(folder), "--port", str(port))
    with running_module("local.issuer", *arguments, ready=f"{url}/healthz"):
        yield Issuer(url, folder)


def test_a_service_accepts_a_token_for_its_tenant_and_for_no_other(issuer: Issuer) -> None:
    token = issuer.token()
    assert issuer.tenant_of(token) == "acme"
    with pytest.raises(Problem, match="not for the tenant") as refused:
        issuer.tenant_of(token, claimed="other")
    assert refused.value.status == 403


def test_a_token_has_the_header_and_claims_of_rfc_9068(issuer: Issuer) -> None:
    before = issuer.token(lifetime_s="90")
    header = jwt.get_unverified_header(before)
    claims = jwt.decode(before, options={"verify_signature": False})
    assert (header["typ"], header["alg"]) == ("at+jwt", "RS256")
    assert claims["exp"] - claims["iat"] == 90
    del claims["exp"], claims["iat"]
    assert (
        claims.pop("jti") != jwt.decode(issuer.token(), options={"verify_signature": False})["jti"]
    )
    assert claims == {
        "iss": issuer.url,
        "aud": "events-api",
        "sub": "acme",
        "client_id": "acme",
        "tenant": "acme",
        "scope": "authentication",
    }


def test_basic_credentials_are_form_decoded(issuer: Issuer) -> None:
    form = {"grant_type": "client_credentials"}
    encoded = issuer.secret.replace("-", "%2D")
    answer = httpx.post(f"{issuer.url}/token", data=form, auth=("Shop%2E1", encoded))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert issuer.tenant_of(answer.json()["access_token"], "Shop.1") == "Shop.1"


def test_a_token_without_the_scope_is_forbidden(issuer: Issuer) -> None:
    with pytest.raises(Problem, match="lacks the scope") as refused:
        issuer.tenant_of(issuer.token(scope="reading writing"))
    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"client_secret": "guess"}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"client_secret": "Geheimnis ä"}, 401, "invalid_client"),
        ({"client_id": "no tenant"}, 401, "invalid_client"),
        ({"client_id": ""}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"scope": "two  spaces"}, 400, "invalid_scope"),
        ({"scope": 'quote"'}, 400, "invalid_scope"),
        ({"lifetime_s": "0"}, 400, "invalid_request"),
        ({"lifetime_s": "86401"}, 400, "invalid_request"),
        ({"lifetime_s": "²"}, 400, "invalid_request"),
        ({"padding": "x" * 20_000}, 400, "invalid_request"),
        ({f"field{n}": "x" for n in range(FIELDS_MAX)}, 400, "invalid_request"),
    ],
)
def test_errors_are_those_of_rfc_6749(
    issuer: Issuer, fields: dict[str, str], status: int, code: str
) -> None:
    answer = issuer.ask(**fields)
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert ("www-authenticate" in answer.headers) == (status == 401)


FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"json": {"grant_type": "client_credentials"}}, 400, "invalid_request"),
        ({"content": b"scope=a&scope=b", "headers": FORM_TYPE}, 400, "invalid_request"),
        ({"content": b"scope=%ff", "headers": FORM_TYPE}, 400, "invalid_request"),
        ({"data": {"client_secret": "x"}, "auth": ("acme", "x")}, 400, "invalid_request"),
        ({"data": {}, "headers": FORM_TYPE | {"Authorization": "Basic ~"}}, 401, "invalid_client"),
        ({"data": {}, "headers": FORM_TYPE | {"Authorization": "Digest x"}}, 401, "invalid_client"),
    ],
)
def test_malformed_requests_are_refused(
    issuer: Issuer, request_: dict[str, Any], status: int, code: str
) -> None:
    answer = httpx.post(f"{issuer.url}/token", **request_)
    assert (answer.status_code, answer.json()["error"]) == (status, code)


def test_discovery_leads_to_the_token_and_the_keys(issuer: Issuer) -> None:
    for name in ("oauth-authorization-server", "openid-configuration"):
        found = httpx.get(f"{issuer.url}/.well-known/{name}").json()
        assert found["issuer"] == issuer.url
        assert httpx.get(found["jwks_uri"]).json()["keys"]
        assert httpx.post(found["token_endpoint"], data={"a": "b"}).status_code == 401


def test_secrets_are_for_the_owner_only_and_the_keys_published_are_public(issuer: Issuer) -> None:
    files = [path for path in issuer.folder.iterdir() if path.is_file()]
    assert {path.suffix for path in files} == {".pem", ""}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    for key in httpx.get(f"{issuer.url}/jwks").json()["keys"]:
        assert key.keys() == {"kty", "n", "e", "kid", "use", "alg"}


def test_a_rotation_keeps_the_previous_key_and_drops_the_one_before(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ("--path", str(tmp_path), "--port", str(port))
    with running_module("local.issuer", *arguments, ready=f"{url}/healthz"):
        issuer = Issuer(url, tmp_path)
        first = issuer.token()
        new = httpx.post(f"{url}/rotate").json()["kid"]
        second = issuer.token()
        assert jwt.get_unverified_header(second)["kid"] == new
        assert issuer.tenant_of(first) == issuer.tenant_of(second) == "acme"
        httpx.post(f"{url}/rotate")
        assert issuer.tenant_of(second) == "acme"
        with pytest.raises(Problem, match="not among the issuer's keys"):
            issuer.tenant_of(first)
    with running_module("local.issuer", *arguments, ready=f"{url}/healthz"):
        restarted = Issuer(url, tmp_path)
        assert restarted.secret == issuer.secret
        assert restarted.tenant_of(second) == "acme", "a restart must keep tokens valid"


async def test_only_the_same_machine_may_rotate_keys(tmp_path: Path) -> None:
    async def rotate_from(host: str) -> int:
        transport = httpx.ASGITransport(
            create_app(tmp_path, Issued("http://issuer", "events-api")), client=(host, 1)
        )
        async with httpx.AsyncClient(transport=transport, base_url="http://issuer") as client:
            return (await client.post("/rotate")).status_code

    assert await rotate_from("10.0.0.1") == 403
    assert await rotate_from("::1") == 200


def test_a_broken_key_file_is_named_at_start(tmp_path: Path) -> None:
    (tmp_path / "1.pem").write_text("no key")
    with pytest.raises(ValueError, match=r"1\.pem is no private key: remove it"):
        create_app(tmp_path, Issued("http://issuer", "events-api"))
