"""`python -m local.clickhouse --path DIR --port N`: serve one folder on loopback until SIGTERM."""

import argparse
import os
from pathlib import Path

from local.clickhouse.app import create_app
from local.clickhouse.engine import Engine
from service.connections import Http
from service.http.app import serve
from service.logs import configure


def main() -> None:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m local.clickhouse", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, help="folder that holds the data")
    parser.add_argument("--port", type=int, default=8801, help="port on 127.0.0.1")
    arguments = parser.parse_args()
    configure("clickhouse")
    serve(create_app(Engine(arguments.path)), Http(port=arguments.port))
    os._exit(0)  # chDB's own threads would hold the interpreter's end up; all data is on disk


if __name__ == "__main__":
    main()
