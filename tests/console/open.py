"""`python -m tests.console.open --home DIR [--port N] [--tenant T]`: a stack's console, signed in.

For work on pages and for tests of them: everybody is the tenant, by a token of the stack's own issuer.
It is no part of the console, which has no such way in.
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


def signed_in_as(where: Endpoints, tenant: str) -> SignedIn:
    """Whoever asks is this tenant."""
    session = Developer(where, tenant)

    async def signed_in(request: Request) -> Session:
        return session

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
    parser.add_argument("--tenant", default="acme")
    given = parser.parse_args()
    configure("console")
    where = endpoints(given.home, None)
    made = settings(where, given.port)
    serve(create_app(made, signed_in_as(where, given.tenant)), made.http)


if __name__ == "__main__":
    main()
