"""The load test as `make bench-ingest` runs it, and Locust's file against an API that breaks its word."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.processes import free_port, running_module, served

ROOT = Path(__file__).parent.parent.parent
INSTALLED = ".venv-load/.installed"
BATCH_EVENTS = 20

Answer = Callable[[int], Response]
"""The answer to the n-th single event."""


@pytest.fixture(scope="module", autouse=True)
def _locust() -> None:
    """Locust's own environment, made on first use."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
    made = subprocess.run(
        ["make", INSTALLED],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"make {INSTALLED} cannot install Locust: {made.stderr}")


def test_what_the_load_test_had_acknowledged_is_in_kafka(tmp_path: Path) -> None:
    options = ["--seconds", "3", "--users", "4", "--batch-events", str(BATCH_EVENTS)]
    run = subprocess.run(
        [sys.executable, "-m", "bench.load_test", *options],
        cwd=ROOT,
        env=os.environ | {"EVENTS_BENCH_DATA": str(tmp_path / "none")},  # so that events are made
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    singles, batches = accepted(run.stdout)
    assert singles > 0
    assert batches > 0
    assert batches % BATCH_EVENTS == 0
    total = f"{singles + batches:,}"
    assert f"Kafka holds {total} events: the {total} acknowledged ones." in run.stdout


def test_pressure_is_counted_and_no_failure(issuer: tuple[str, Path]) -> None:
    answers = [right(), JSONResponse({}, 429), JSONResponse({}, 503)]
    run = locust(lambda number: answers[number % 3], issuer)
    assert run.returncode == 0, run.stdout + run.stderr
    row = re.search(r"^single .*? ([\d,]+) +([\d,]+)$", run.stdout, re.MULTILINE)
    assert row is not None
    assert "0" not in row.groups()


def test_a_wrong_answer_fails_the_run_and_is_shown(issuer: tuple[str, Path]) -> None:
    run = locust(lambda number: right() if number else JSONResponse({"title": "oops"}, 500), issuer)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "FAILED 1 x single: status 500\n" in run.stdout
    assert 'The first wrong answer to single: {"title":"oops"}' in run.stdout


def test_a_load_of_which_nothing_was_accepted_fails(issuer: tuple[str, Path]) -> None:
    run = locust(lambda _: JSONResponse({}, 503), issuer, batch_status=503)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "FAILED: no event was accepted." in run.stdout


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A running issuer's URL and the file of its client secret."""
    folder, port = tmp_path_factory.mktemp("issuer"), free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ("--path", str(folder), "--port", str(port))
    with running_module("local.issuer", *arguments, ready=f"{url}/healthz"):
        yield url, folder / "client_secret"


def right() -> Response:
    return JSONResponse({"id": "1"}, 201)


@contextlib.contextmanager
def api(answer: Answer, batch_status: int) -> Iterator[str]:
    """An API that answers single events with `answer`, and batches as if all were accepted."""
    numbers = count()

    async def single(request: Request) -> Response:
        await request.body()
        return answer(next(numbers))

    async def batch(request: Request) -> Response:
        await request.body()
        items = [{"status": 201}] * BATCH_EVENTS
        body = {"accepted": BATCH_EVENTS, "rejected": 0, "items": items}
        return JSONResponse(body, batch_status)

    routes = [
        Route("/api/v1/events", single, methods=["POST"]),
        Route("/api/v1/events:batch", batch, methods=["POST"]),
    ]
    with served(Starlette(routes=routes)) as url:
        yield url


def locust(
    answer: Answer, issuer: tuple[str, Path], batch_status: int = 201
) -> subprocess.CompletedProcess[str]:
    """A run of a second against an API that answers so."""
    with api(answer, batch_status) as host:
        options = {
            "--locustfile": "bench/locustfile.py",
            "--host": host,
            "--users": "4",
            "--spawn-rate": "4",
            "--run-time": "1s",
            "--stop-timeout": "10",
            "--issuer": issuer[0],
            "--secret-file": str(issuer[1]),
            "--batch-events": str(BATCH_EVENTS),
        }
        flat = [each for option in options.items() for each in option]
        return subprocess.run(
            [".venv-load/bin/locust", "--headless", "--skip-log-setup", *flat],
            cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip


def accepted(summary: str) -> tuple[int, int]:
    """Accepted events of the single and of the batch row."""
    found = dict(re.findall(r"^(single|batch) +[\d,]+ +([\d,]+)", summary, re.MULTILINE))
    return int(found["single"].replace(",", "")), int(found["batch"].replace(",", ""))
