"""Where the stack listens and how to get in: the state file when there is one, else the ports."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli.answers import TIMEOUT_S, fail, unreachable, why

if TYPE_CHECKING:
    from httpx import Request

LIFETIME_S = 3600
NAMES = ("api", "clickhouse", "sqs", "issuer", "kafka")  # in the order of their ports


@dataclass(frozen=True)
class Endpoints:
    """Addresses by name: URLs, host:port for Kafka."""

    home: Path
    api: str
    clickhouse: str
    kafka: str
    issuer: str

    def headers(self, tenant: str, lifetime_s: int = LIFETIME_S) -> dict[str, str]:
        """What every API request of `tenant` carries, with a fresh token."""
        return {
            "Authorization": f"Bearer {self.token(tenant, lifetime_s=lifetime_s)}",
            "X-TWC-Tenant": tenant,
            "Content-Type": "application/json",
        }

    def token(
        self, tenant: str, scope: str = "authentication", lifetime_s: int = LIFETIME_S
    ) -> str:
        """An access token of the local issuer. Exits with what to do when there is none."""
        import httpx

        request = self.token_request(tenant, scope, lifetime_s)
        try:
            with httpx.Client() as client:
                answer = client.send(request)
        except httpx.TransportError as error:
            unreachable(self.issuer, error)
        if answer.status_code != httpx.codes.OK:
            fail(f"The issuer refuses: {why(answer)}")
        return str(answer.json()["access_token"])

    def token_request(
        self, tenant: str, scope: str = "authentication", lifetime_s: int = LIFETIME_S
    ) -> "Request":
        """The request that the issuer answers with a token. Exits when the secret is not there."""
        import httpx

        form = {
            "grant_type": "client_credentials",
            "client_id": tenant,
            "client_secret": self._client_secret(),
            "scope": scope,
            "lifetime_s": str(lifetime_s),
        }
        timeout = {"timeout": httpx.Timeout(TIMEOUT_S).as_dict()}
        return httpx.Request("POST", f"{self.issuer}/token", data=form, extensions=timeout)

    def _client_secret(self) -> str:
        path = self.home / "issuer" / "client_secret"
        try:
            return path.read_text()
        except OSError as error:
            fail(
                f"No client secret in {path} ({error.strerror})."
                f" Start the stack: events up --home {self.home}"
            )


def endpoints(home: Path, port_base: int) -> Endpoints:
    """The endpoints of the stack in `home`."""
    path = home / "state.json"
    try:
        known = json.loads(path.read_text())["endpoints"] if path.exists() else _by_port(port_base)
        return Endpoints(home, known["api"], known["clickhouse"], known["kafka"], known["issuer"])
    except (ValueError, KeyError, TypeError):
        fail(f"{path} cannot be read. Start the stack anew: events down, then events up")


def _by_port(port_base: int) -> dict[str, str]:
    known = {name: f"http://127.0.0.1:{port_base + n}" for n, name in enumerate(NAMES)}
    return known | {"kafka": known["kafka"].removeprefix("http://")}
