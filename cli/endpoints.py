"""Where the stack listens and how to get in: the state file when there is one, else the ports."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import httpx
import typer
from rich.console import Console

console = Console(stderr=True)

TIMEOUT_S = 30.0
NAMES = ("api", "clickhouse", "sqs", "issuer", "kafka")  # in the order of their ports


@dataclass(frozen=True)
class Endpoints:
    """Addresses by name: URLs, host:port for Kafka."""

    home: Path
    api: str
    clickhouse: str
    kafka: str
    issuer: str

    def headers(self, tenant: str) -> dict[str, str]:
        """What every API request of `tenant` carries, with a fresh token."""
        return {
            "Authorization": f"Bearer {self.token(tenant)}",
            "X-TWC-Tenant": tenant,
            "Content-Type": "application/json",
        }

    def token(self, tenant: str, scope: str = "authentication", lifetime_s: int = 3600) -> str:
        """An access token of the local issuer. Exits with what to do when there is none."""
        try:
            secret = (self.home / "issuer" / "client_secret").read_text()
        except FileNotFoundError:
            fail(f"No client secret in {self.home / 'issuer'}. Start the stack: events up")
        form = {
            "grant_type": "client_credentials",
            "client_id": tenant,
            "client_secret": secret,
            "scope": scope,
            "lifetime_s": str(lifetime_s),
        }
        try:
            answer = httpx.post(f"{self.issuer}/token", data=form, timeout=TIMEOUT_S)
        except httpx.TransportError as error:
            unreachable(self.issuer, error)
        if answer.status_code != httpx.codes.OK:
            fail(f"The issuer refuses: {answer.json().get('error_description', answer.text)}")
        return str(answer.json()["access_token"])


def endpoints(home: Path, port_base: int) -> Endpoints:
    """The endpoints of the stack in `home`."""
    try:
        known = json.loads((home / "state.json").read_text())["endpoints"]
    except FileNotFoundError:
        known = {name: f"http://127.0.0.1:{port_base + n}" for n, name in enumerate(NAMES)}
        known["kafka"] = known["kafka"].removeprefix("http://")
    return Endpoints(home, known["api"], known["clickhouse"], known["kafka"], known["issuer"])


def unreachable(url: str, error: Exception) -> NoReturn:
    """Exit 1: nobody answers."""
    fail(
        f"Nothing answers at {url} ({type(error).__name__}). Is it running? events status; events up"
    )


def fail(message: str) -> NoReturn:
    """Exit 1 with one message."""
    console.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1)
