"""What the local stack is made of: ports, addresses, processes and the settings that join them."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.private import kept_secret

PORT_BASE = 8800
REGION = "eu-west-1"
PROCESSORS = ("materialize", "route", "ledger")
AT_REST = {"EVENTS_BATCH_WAIT_MS": "200"}
"""For a stack that mostly rests: the router too asks Kafka five times a second, not twenty."""


@dataclass(frozen=True)
class Ports:
    """Consecutive ports from `base`, all on 127.0.0.1; Kafka takes a second one for its controller."""

    base: int = PORT_BASE

    @property
    def by_name(self) -> dict[str, int]:
        """Port by process name."""
        servers = ("api", "clickhouse", "sqs", "issuer", "kafka", "kafka controller")
        ours = ("materialize", "route", "metrics", "ledger")  # the metrics are the api's
        names = (*servers, *ours, "console", "console metrics")
        return {name: self.base + offset for offset, name in enumerate(names)}

    def url(self, name: str) -> str:
        """Where `name` listens; Kafka without a scheme."""
        address = f"127.0.0.1:{self.by_name[name]}"
        return address if name == "kafka" else f"http://{address}"

    @property
    def endpoints(self) -> dict[str, str]:
        """Address by name, as `events status` shows them."""
        names = ("console", "api", "clickhouse", "kafka", "sqs", "issuer", *PROCESSORS)
        return {name: self.url(name) for name in names}

    @property
    def metrics(self) -> dict[str, str]:
        """Where a process of ours shows its metrics, by its name."""
        addresses = {name: self.url(name) for name in PROCESSORS}
        addresses |= {"api": self.url("metrics"), "console": self.url("console metrics")}
        return {name: f"{url}/metrics" for name, url in addresses.items()}


@dataclass(frozen=True)
class Process:
    """One supervised process. `ready` is a URL that answers 200, a host:port that accepts, or None.

    `settings` are variables of its own, beside those of `environment`.
    """

    name: str
    module: str
    arguments: list[str] = field(default_factory=list)
    ready: str | None = None
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def argv(self) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", self.module, *self.arguments]


def servers(home: Path, ports: Ports) -> list[Process]:
    """The servers behind the services; independent of each other."""

    def server(name: str, ready: str, *more: str) -> Process:
        arguments = ["--path", str(home / name), "--port", str(ports.by_name[name]), *more]
        return Process(name, f"local.{name}", arguments, ready)

    console = ports.url("console")
    client = f"console={console}/sign-in/callback,{console}/signed-out"

    return [
        server("kafka", ports.url("kafka")),
        server("clickhouse", ports.url("clickhouse") + "/ping"),
        server("sqs", ports.url("sqs").removeprefix("http://")),
        server("issuer", ports.url("issuer") + "/healthz", "--client", client),
    ]


def setup() -> Process:
    """Creates topics and tables; ends by itself."""
    return Process("setup", "processors", ["setup"])


def services(home: Path, ports: Ports) -> list[Process]:
    """Our own services."""

    def processor(name: str) -> Process:
        # not /readyz: that waits for the session of a killed predecessor to end
        ready = ports.url(name) + "/healthz"
        port = {"EVENTS_PROBES__PORT": str(ports.by_name[name])}
        return Process(name, "processors", [name], ready, port)

    measured = {"EVENTS_HTTP__METRICS_PORT": str(ports.by_name["metrics"])}
    api = Process("api", "local.api", ready=ports.url("api") + "/readyz", settings=measured)
    return [api, *map(processor, PROCESSORS), _console(home, ports)]


def _console(home: Path, ports: Ports) -> Process:
    given = {
        "EVENTS_SESSION__SECRET": kept_secret(home / "console" / "session_secret"),
        "EVENTS_HTTP__PORT": str(ports.by_name["console"]),
        "EVENTS_HTTP__METRICS_PORT": str(ports.by_name["console metrics"]),
    }
    return Process("console", "console", ready=ports.url("console") + "/healthz", settings=given)


def environment(ports: Ports, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of every process: a person's `settings` and what joins the processes.

    The shell's own EVENTS_ variables are left out, so that a stack is what its home says.
    """
    ours = {name for name in os.environ if name.upper().startswith("EVENTS_")}
    inherited = {name: text for name, text in os.environ.items() if name not in ours}
    defaults = {
        "EVENTS_ACCESS__KEYS_COOLDOWN_S": "1",
        "EVENTS_DESTINATIONS__ACCOUNTS": '{"*": ["000000000000"]}',  # the local SQS has this one
        "EVENTS_DESTINATIONS__SECRET": "of the local stack, which nobody else can reach",
    }
    return inherited | defaults | dict(settings or {}) | joined(ports)


def joined(ports: Ports) -> dict[str, str]:
    """The variables that join the processes: addresses, and credentials that stay here."""
    return {
        "EVENTS_HTTP__PORT": str(ports.by_name["api"]),
        "EVENTS_HTTP__METRICS_PORT": "0",
        "EVENTS_KAFKA__BOOTSTRAP_SERVERS": ports.url("kafka"),
        "EVENTS_PROBES__PORT": "0",  # any: the stack's own processors have theirs, see `services`
        "EVENTS_CLICKHOUSE__URL": ports.url("clickhouse"),
        "EVENTS_SQS__ENDPOINT_URL": ports.url("sqs"),
        "EVENTS_ACCESS__ISSUER": ports.url("issuer"),
        "EVENTS_ACCESS__JWKS_URL": ports.url("issuer") + "/jwks",
        "EVENTS_CONSOLE__API_URL": ports.url("api"),
        "EVENTS_CONSOLE__URL": ports.url("console"),
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": REGION,
        "PYTHONUNBUFFERED": "1",
    }
