"""Where the stack listens and how to get in: the state file when there is one, else the ports."""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.answers import TIMEOUT_S, fail, unreachable, why
from local.stack import PORT_BASE, Ports

if TYPE_CHECKING:
    from httpx import Request, Response

LIFETIME_S = 3600
ENDED = ("stopped", "failed")
ELSEWHERE = ". Where one runs elsewhere, name its folder: --home DIR or EVENTS_HOME"


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

    def ask_about(self, event_id: str, method: str, tenant: str) -> "Response":
        """What the API answers to `method` on one event of `tenant`. Exits when nobody answers."""
        from urllib.parse import quote

        import httpx

        url = f"{self.api}/api/v1/events/{quote(event_id, safe='')}"
        try:
            return httpx.request(method, url, headers=self.headers(tenant), timeout=TIMEOUT_S)
        except httpx.TransportError as error:
            unreachable(self.api, error)

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
                f" Start the stack: events up --home {self.home}{ELSEWHERE}"
            )


def endpoints(home: Path, port_base: int | None) -> Endpoints:
    """The endpoints of the stack in `home`. Exits 1 when home and ports name a stack that is not there."""
    home = home.resolve()
    path = home / "state.json"
    state: Any = {"endpoints": Ports(port_base or PORT_BASE).endpoints}
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            state = json.loads(path.read_text())
        known = state["endpoints"]
        found = Endpoints(home, known["api"], known["clickhouse"], known["kafka"], known["issuer"])
    except (ValueError, KeyError, TypeError):
        fail(f"{path} cannot be read. Start the stack anew: events down, then events up")
    if state.get("phase") in ENDED:
        fail(f"The stack in {home} does not run. Start it: events up --home {home}{ELSEWHERE}")
    require_ports(home, state.get("port_base"), port_base)
    return found


def require_ports(home: Path, actual: int | None, wanted: int | None) -> None:
    """Exit 1 when the stack in `home` has other ports than `wanted`, where those were chosen."""
    if None not in (actual, wanted) and actual != wanted:
        fail(
            f"The stack in {home} has the ports from {actual} on, not from {wanted}."
            f" Leave --port-base (EVENTS_PORT_BASE) out, or name the other stack's folder with --home."
        )
