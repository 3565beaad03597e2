"""Load test: Locust posts as several tenants to an edge of its own; Kafka must hold what was acknowledged.

`python -m bench.load_test [--seconds S] [--users N] [--tenants N] [--batch-events N]`, which
`make bench-ingest` runs after it has installed Locust into .venv-load. Everything listens on loopback
and ends by itself; exits non-zero when an answer or Kafka contradicts what the API promises.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from pathlib import Path

from bench.fill import held
from bench.servers import DATA, process, servers
from bench.tally import Bounds
from cli.endpoints import Endpoints

ROOT = Path(__file__).parent.parent
LOCUST = ROOT / ".venv-load" / "bin" / "locust"
STOP_TIMEOUT_S = 20  # longer than a request may take, so that each gets its answer
START_TIMEOUT_S = 60


def run_locust(
    where: Endpoints, port: int, result: Path, arguments: argparse.Namespace
) -> subprocess.CompletedProcess[bytes]:
    """The load, from its first request to its printed summary. Raises TimeoutExpired."""
    options = {
        "--host": f"http://127.0.0.1:{port}",
        "--users": arguments.users,
        "--spawn-rate": arguments.users,  # all in the first second
        "--run-time": f"{arguments.seconds}s",
        "--stop-timeout": STOP_TIMEOUT_S,
        "--issuer": where.issuer,
        "--secret-file": where.home / "issuer" / "client_secret",
        "--tenants": arguments.tenants,
        "--batch-events": arguments.batch_events,
        "--result": result,
    }
    if DATA.exists():
        options["--events-file"] = DATA.resolve()
    # without its log: warnings and errors only, and the summary is the locustfile's
    argv = [str(LOCUST), "--locustfile", "bench/locustfile.py", "--headless", "--skip-log-setup"]
    argv += [str(each) for option in options.items() for each in option]
    return subprocess.run(
        argv, cwd=ROOT, stdin=subprocess.DEVNULL, check=False,
        timeout=START_TIMEOUT_S + arguments.seconds + STOP_TIMEOUT_S,
    )  # fmt: skip


def verify(count: int, expected: Bounds) -> bool:
    """Whether Kafka's `count` events are the acknowledged ones; says so."""
    if wrong := expected.broken(count):
        print(f"FAILED: {wrong}.")
        return False
    unknown = count - expected.least
    rest = f" and {unknown:,} that were sent without being acknowledged" if unknown else ""
    print(f"Kafka holds {count:,} events: the {expected.least:,} acknowledged ones{rest}.")
    return True


def positive(text: str) -> int:
    """An option's count. Locust takes a run time of 0 for one without end."""
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def main() -> None:
    """Run the load, then count what Kafka holds."""
    parser = argparse.ArgumentParser(prog="python -m bench.load_test", description=__doc__)
    parser.add_argument("--seconds", type=positive, default=30, help="how long the load lasts")
    parser.add_argument(
        "--users", type=positive, default=32, help="connections; one in four posts batches"
    )
    parser.add_argument(
        "--tenants", type=positive, default=4, help="tenants that the users post as"
    )
    parser.add_argument("--batch-events", type=positive, default=500, help="events of one batch")
    arguments = parser.parse_args()
    if not LOCUST.exists():
        parser.error("Locust is not installed: make .venv-load/.installed")
    with servers() as (where, ports, _):
        port, result = ports.base + 7, where.home / "load.json"
        with process(["-m", "ingest"], ports, port, "/readyz"):
            locust = run_locust(where, port, result, arguments)
        if not result.exists():
            sys.exit(f"Locust ended with {locust.returncode} and without a result")
        # the edge has ended: nothing is on its way to Kafka any more
        is_right = verify(asyncio.run(held(where.kafka)), Bounds(**json.loads(result.read_text())))
    sys.exit(0 if is_right and locust.returncode == 0 else 1)


if __name__ == "__main__":
    main()
