"""A retailer's load for Locust: several tenants post single events and gzip batches, answers are checked.

`bench/load_test.py` runs it on a stack of its own. On a running one, from the top of the repository:
`.venv-load/bin/locust -f bench/locustfile.py --headless --host http://127.0.0.1:8800 -u 32 -r 32 -t 30s`.
429 and 503 are pressure and counted; any other answer than the promised one is a failure (exit code 1).
"""

import gzip
import itertools
import json
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from locust import FastHttpUser, events, task

from bench import retail
from bench.tally import PRESSURE, Read, Tally, bounds, of_batch, of_event

BATCHES = 8  # different ones, compressed before the load begins
TOKEN_LIFETIME_S = 24 * 3600
TIMEOUT_S = 15.0  # longer than the API's own deadlines
COLUMNS = "{:8}{:>10}{:>12}{:>11}{:>8}{:>8}{:>8}{:>8}"


class Poster(FastHttpUser):  # what both kinds of user do alike
    """One tenant's client on one connection: sends its next request when it has its answer."""

    abstract = True
    network_timeout = TIMEOUT_S
    connection_timeout = TIMEOUT_S
    tokens: Iterator[tuple[str, str]]  # tenant and token, round and round
    kind: str
    path: str
    headers: dict[str, str]
    tally: Tally
    read: Read

    def on_start(self) -> None:
        """Become the next tenant."""
        tenant, token = next(self.tokens)
        self.mine = self.headers | {"Authorization": f"Bearer {token}", "X-TWC-Tenant": tenant}

    def post(self, body: bytes, count: int, headers: dict[str, str]) -> None:
        """Send `count` events and judge the answer. Never repeated: each is offered once."""
        self.tally.offered += count
        with self.client.post(
            self.path, data=body, headers=self.mine | headers, name=self.kind, catch_response=True
        ) as answer:
            if answer.status_code == 0:
                answer.failure(f"no answer: {answer.error!r}")
                return
            status = answer.status_code
            if reason := self.tally.take(count, status, answer.content or b"", self.read):
                answer.failure(reason)
                return
            if status in PRESSURE:  # its latency is not one of accepted events
                answer.request_meta["name"] = f"{self.kind}, {status}"
            answer.success()


class SingleUser(Poster):
    """Posts one event per request."""

    weight = 3
    kind = "single"
    path = "/api/v1/events"
    headers = {"Content-Type": "application/json"}  # noqa: RUF012 - Locust's users are classes
    tally = Tally()
    read = staticmethod(of_event)
    bodies: Iterator[bytes]

    @task
    def one(self) -> None:
        """The next event."""
        self.post(next(self.bodies), 1, {})


class BatchUser(Poster):
    """Posts NDJSON batches in gzip, each under a key of its own."""

    weight = 1
    kind = "batch"
    path = "/api/v1/events:batch"
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}  # noqa: RUF012
    tally = Tally()
    read = staticmethod(of_batch)
    bodies: Iterator[bytes]
    size: int

    @task
    def batch(self) -> None:
        """The next batch."""
        self.post(next(self.bodies), self.size, {"Idempotency-Key": str(uuid.uuid4())})


@events.init_command_line_parser.add_listener
def options(parser: Any) -> None:
    """This file's own options beside Locust's."""
    add = parser.add_argument
    add("--issuer", default="http://127.0.0.1:8803", help="issues the tenants' tokens")
    add("--secret-file", type=Path, default=Path(".events/issuer/client_secret"))
    add("--tenants", type=int, default=4, help="how many tenants post")
    add("--batch-events", type=int, default=500, help="events of one batch")
    add("--events-file", type=Path, help="NDJSON to post; made events when left out")
    add("--result", type=Path, help="where to write the bounds of what Kafka may hold")


@events.init.add_listener
def prepare(environment: Any, **_: Any) -> None:
    """Tokens and bodies, before the load begins. Locust exits when this fails."""
    chosen = environment.parsed_options
    secret = chosen.secret_file.read_text()
    tenants = [f"load-{number}" for number in range(1, chosen.tenants + 1)]
    Poster.tokens = itertools.cycle(
        [(each, token(chosen.issuer, each, secret)) for each in tenants]
    )
    texts = retail.events(chosen.events_file)
    SingleUser.bodies = itertools.cycle(texts)
    BatchUser.size, endless = chosen.batch_events, itertools.cycle(texts)
    BatchUser.bodies = itertools.cycle(
        [
            gzip.compress(b"\n".join(itertools.islice(endless, BatchUser.size)), 6)
            for _ in range(BATCHES)
        ]
    )


def token(issuer: str, tenant: str, secret: str) -> str:
    """An access token for `tenant` (RFC 6749, client credentials)."""
    form = {
        "grant_type": "client_credentials",
        "client_id": tenant,
        "client_secret": secret,
        "scope": "authentication",
        "lifetime_s": str(TOKEN_LIFETIME_S),
    }
    data = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(f"{issuer}/token", data, timeout=TIMEOUT_S) as answer:
        return str(json.load(answer)["access_token"])


@events.quitting.add_listener
def report(environment: Any, **_: Any) -> None:
    """Print the summary, write the bounds; a load of which nothing was accepted is a failure too."""
    users, stats = (SingleUser, BatchUser), environment.stats
    seconds = max((stats.last_request_timestamp or 0) - stats.start_time, 1e-9)
    print(COLUMNS.format("", "requests", "events", "events/s", "p50 ms", "p99 ms", "429", "503"))
    for user in users:
        tally, entry = user.tally, stats.get(user.kind, "POST")
        quantiles_ms = [entry.get_response_time_percentile(share) for share in (0.5, 0.99)]
        figures = (entry.num_requests, tally.accepted, tally.accepted / seconds, *quantiles_ms)
        pressed = (tally.requests_pressed[status] for status in PRESSURE)
        print(COLUMNS.format(user.kind, *(f"{each:,.0f}" for each in (*figures, *pressed))))
    accepted = sum(user.tally.accepted for user in users)
    print(f"Accepted {accepted:,} events in {seconds:.1f} s: {accepted / seconds:,.0f} events/s.")
    if pressed_events := BatchUser.tally.events_pressed:
        print(f"Of accepted batches {pressed_events:,} events were answered 429 or 503.")
    for error in stats.errors.values():
        print(f"FAILED {error.occurrences:,} x {error.name}: {error.error}")
    for user in users:
        if user.tally.sample:
            print(f"The first wrong answer to {user.kind}: {user.tally.sample}")
    if not accepted:
        print("FAILED: no event was accepted.")
        environment.process_exit_code = 1
    if result := environment.parsed_options.result:
        result.write_text(json.dumps(bounds([user.tally for user in users])._asdict()))
