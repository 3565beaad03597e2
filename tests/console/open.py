"""`python -m tests.console.open --home DIR [--port N] [--tenant T ...]`: a stack's console, signed in.

For work on pages and for tests of them: everybody is the tenant, by a token of the stack's own issuer; of
several the one that the URL names, else the first. It is no part of the console, which has no such way in.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from starlette.requests import Request

from cli.endpoints import Endpoints, endpoints
from console.app import create_app
from console.session import Session, SignedIn
from console.settings import Console, ConsoleSettings
from service.connections import Http
from service.http.app import serve
from service.logs import configure

TOKEN_AGE_S = 1800.0


class Developer:
    """A session that never ends, of one tenant."""

    user = "developer@example.com"
    csrf = "of the tests"

    def __init__(self, where: Endpoints, tenant: str) -> None:
        self.tenant = tenant
        self.tenants: Sequence[str] = (tenant, "other-tenant")
        self._where = where
        self._token, self._made_s = "", 0.0

    async def access_token(self) -> str:
        """A token of the local issuer."""
        if time.monotonic() - self._made_s > TOKEN_AGE_S or not self._token:
            self._token, self._made_s = self._where.token(self.tenant), time.monotonic()
        return self._token


def signed_in_as(where: Endpoints, tenants: Sequence[str]) -> SignedIn:
    """Whoever asks is the tenant that the URL names, or the first."""
    sessions = {tenant: Developer(where, tenant) for tenant in tenants}

    async def signed_in(request: Request) -> Session:
        return sessions.get(request.query_params.get("tenant", ""), sessions[tenants[0]])

    return signed_in


def settings(where: Endpoints, port: int) -> ConsoleSettings:
    """The console's settings beside that stack."""
    console = Console(api_url=where.api, url=f"http://127.0.0.1:{port}")
    return ConsoleSettings(http=Http(port=port, metrics_port=0), console=console)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.console.open", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8899)
    parser.add_argument("--port-base", type=int, help="the stack's, where it runs without a state")
    parser.add_argument("--tenant", action="append", default=[])
    given = parser.parse_args()
    configure("console")
    where = endpoints(given.home, given.port_base)
    made = settings(where, given.port)
    serve(create_app(made, signed_in_as(where, given.tenant or ["acme"])), made.http)


if __name__ == "__main__":
    main()
