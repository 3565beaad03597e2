"""One line of a table of attacks, and how it is run against an edge; see the package's docstring."""

import contextlib
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import httpx

from bench import load
from local.stack import Ports, environment
from tests.attacks.neighbour import neighbour, unharmed
from tests.builders import an_event
from tests.processes import free_port, running_module
from tests.stack import Stack

SUBSCRIPTIONS = "/api/v1/subscriptions"
TIMEOUT_S = 60.0
PATH = "/api/v1/events"
GENEROUS = {
    "EVENTS_TENANT_RATE__EVENTS_PER_S": "1000000000",
    "EVENTS_TENANT_RATE__BYTES_PER_S": "1000000000000",
}
"""A tenant's rate is no protection of others against what costs more than it pays for."""


@dataclass(frozen=True)
class Door:
    """The edge that is attacked, and the stack behind it, whose issuer signs the tokens."""

    stack: Stack
    port: int
    metrics_port: int
    pid: int

    def headers(self, tenant: str = "attacker") -> dict[str, str]:
        """What a request of `tenant` carries."""
        return self.stack.headers(tenant)

    def measured(self, name: str) -> float:
        """The value of a metric, 0 for one that is not there."""
        lines = httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))

    def post(
        self,
        body: bytes | None = None,
        path: str = PATH,
        tenant: str = "attacker",
        headers: dict[str, str] | None = None,
    ) -> bytes:
        """A POST as bytes: of an event, unless another `body`, with more `headers` or others."""
        body = json.dumps(an_event()).encode() if body is None else body
        return load.request("POST", path, self.headers(tenant) | (headers or {}), body)


@contextlib.contextmanager
def door_with(
    stack: Stack,
    settings: Mapping[str, str] | None = None,
    module: str = "ingest",
    argument: str | None = None,
) -> Iterator[Door]:
    """An edge before the servers of `stack`, with the `settings` that it comes with but for these."""
    port = free_port(2)
    ports = {"EVENTS_HTTP__PORT": str(port), "EVENTS_HTTP__METRICS_PORT": str(port + 1)}
    variables = environment(Ports(stack.port_base)) | GENEROUS | ports | dict(settings or {})
    ready = f"http://127.0.0.1:{port}/readyz"
    arguments = [argument] if argument else []
    with running_module(module, *arguments, ready=ready, environment=variables) as process:
        yield Door(stack, port, port + 1, process.pid)


@dataclass
class Attacker:
    """One connection to the door."""

    door: Door
    socket: socket.socket
    answer: bytes = field(default=b"", init=False)

    def send(self, data: bytes) -> None:
        """Send all of `data`, unless the door is closed before its end, as it may."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)

    def read(self) -> bytes:
        """All that comes until there is a whole answer or the connection is closed."""
        with contextlib.suppress(ConnectionResetError):
            while not _whole(self.answer) and (data := self.socket.recv(65536)):
                self.answer += data
        return self.answer


@dataclass(frozen=True)
class Case:
    """One attack: what is sent and the status of its answer, None when there must be none.

    `send`: bytes, or a function of an `Attacker` that sends what it likes; what is not read of the
    answer by then is read after it. With `costs` a neighbour posts beside it, who must not feel it.
    """

    name: str
    send: bytes | Callable[[Attacker], object]
    status: int | None
    costs: bool = False

    def __str__(self) -> str:
        return self.name


def attack(case: Case, door: Door) -> int | None:
    """Send the case once; the status of the answer."""
    with socket.create_connection(("127.0.0.1", door.port), TIMEOUT_S) as connection:
        attacker = Attacker(door, connection)
        if isinstance(case.send, bytes):
            attacker.send(case.send)
        else:
            case.send(attacker)
        answer = attacker.read()
    return int(answer[9:12]) if answer else None


def run(case: Case, door: Door) -> None:
    """The case's answer is the one expected, and for `costs` a neighbour did not feel it."""
    assert attack(case, door) == case.status
    if case.costs:
        with neighbour(door.port, door.post(tenant="neighbour")) as other:
            unharmed(other, lambda: attack(case, door))


def _whole(answer: bytes) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        return False
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return len(body) >= int(length or 0)


def post(body: bytes, path: str = PATH, **headers: str) -> Callable[[Attacker], object]:
    """Send it with the attacker's token."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return lambda attacker: attacker.send(attacker.door.post(body, path, headers=named))
