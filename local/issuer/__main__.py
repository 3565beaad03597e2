"""`python -m local.issuer --path DIR --port N`: serve one folder's tokens until SIGTERM.

For local use and tests: production names a real issuer in EVENTS_ACCESS__ISSUER.
"""

import argparse
from pathlib import Path

from local.issuer.app import create_app
from local.issuer.clients import client
from local.issuer.request import LIFETIME_S
from local.issuer.tokens import Issued
from service.connections import Http
from service.http.app import serve
from service.logs import configure


def main() -> None:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m local.issuer", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, help="folder of keys and client secret")
    parser.add_argument("--port", type=int, default=8803, help="port to listen on")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--issuer", help="the tokens' iss; http://127.0.0.1:PORT when left out")
    parser.add_argument("--audience", default="events-api", help="the tokens' aud")
    parser.add_argument(
        "--client",
        type=client,
        action="append",
        default=[],
        metavar="ID=URI,URI",
        help="a client that users sign in to: where they return with a code, and signed out",
    )
    parser.add_argument(
        "--lifetime", type=int, default=LIFETIME_S, help="seconds that a user's access token lives"
    )
    arguments = parser.parse_args()
    configure("issuer")
    issuer = arguments.issuer or f"http://127.0.0.1:{arguments.port}"
    issued = Issued(issuer, arguments.audience, arguments.lifetime)
    app = create_app(arguments.path, issued, dict(arguments.client))
    serve(app, Http(host=arguments.host, port=arguments.port))


if __name__ == "__main__":
    main()
