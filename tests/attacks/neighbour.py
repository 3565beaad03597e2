"""What another tenant feels of an attack: its p99 beside one, to its p99 without.

    with neighbour(door.port, door.post(tenant="other")) as other:   # posts again and again
        unharmed(other, attack)                                      # raises AssertionError

`attack` is any function; it is called again and again for `SECONDS`, once at least, with a pause of
`PAUSE_S` between: the cost of an attack counts, not that of the attacker. The neighbour is a process of
its own, so that an attack written in Python does not slow the clock it is measured with, and an open
loop: its latency counts from when a request was due, so that one long hold is felt by all that it made
wait. `unharmed` asserts that p99 is at most `max(2 * p99 quiet, FLOOR_MS)`, in the best of `ROUNDS`
rounds: noise of a shared machine is no attack, but an attack is there in every round. Where other tests
run beside it nothing can be measured: then the attack is made once and the neighbour is answered, no
more is asserted. `make test-attacks` sets `TESTS_ATTACKS_MEASURED` and runs nothing beside.
"""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bench.load import quantile_ms
from tests.stack import eventually

MEASURED = "TESTS_ATTACKS_MEASURED" in os.environ
SECONDS = 1.5
PAUSE_S = 0.25
ROUNDS = 5
FLOOR_MS = 100.0
PERIOD_S = 0.005 if MEASURED else 0.02
ANSWER_TIMEOUT_S = 60


@dataclass
class Neighbour:
    """Answers so far: when each request was due (s, monotonic), how long it took (s), its status."""

    answers: list[tuple[float, float, int]] = field(default_factory=list)

    def p99_ms(self, began_s: float, ended_s: float) -> float:
        """Of the requests that were due in that time; waits for the last one's answer."""
        eventually(lambda: self.answers and self.answers[-1][0] >= ended_s)
        felt = [answer for answer in self.answers if began_s <= answer[0] < ended_s]
        assert {status for _, _, status in felt} == {201}, felt
        return quantile_ms([took for _, took, _ in felt], 0.99)


@contextlib.contextmanager
def neighbour(port: int, request: bytes) -> Iterator[Neighbour]:
    """A tenant that sends `request` to `port` every `PERIOD_S` while the context is open."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.attacks.neighbour", str(port), request.hex()],
        stdout=subprocess.PIPE,
    ) as process:
        found = Neighbour()
        reader = threading.Thread(target=_collect, args=(process, found))
        reader.start()
        try:
            eventually(lambda: len(found.answers) > 20 or process.poll() is not None)
            yield found
        finally:
            process.terminate()
            reader.join(ANSWER_TIMEOUT_S)


def unharmed(other: Neighbour, attack: Callable[[], object]) -> None:
    """Assert that `other` does not feel `attack`."""
    if not MEASURED:
        other.p99_ms(*_spent(attack, 0.1))
        return
    felt: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        quiet_ms = other.p99_ms(*_spent(lambda: None))
        beside_ms = other.p99_ms(*_spent(attack))
        felt.append((quiet_ms, beside_ms))
        if beside_ms <= max(2 * quiet_ms, FLOOR_MS):
            return
    raise AssertionError(f"p99 without and beside the attack, ms: {felt}")


def _spent(act: Callable[[], object], seconds: float = SECONDS) -> tuple[float, float]:
    """From when to when `act` went on, so many seconds at least."""
    began_s = time.monotonic()
    act()
    while time.monotonic() < began_s + seconds:
        time.sleep(PAUSE_S)
        act()
    return began_s, time.monotonic()


def _collect(process: "subprocess.Popen[bytes]", found: Neighbour) -> None:
    for line in process.stdout or ():
        if line.endswith(b"\n"):  # the last may be cut
            due_s, took_s, status = line.split()
            found.answers.append((float(due_s), float(took_s), int(status)))


def _post_for_ever(port: int, request: bytes) -> None:
    """Print due time, latency and status of each request, until this process is ended."""
    with socket.create_connection(("127.0.0.1", port), ANSWER_TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        due_s = time.monotonic()
        while True:
            due_s += PERIOD_S
            time.sleep(max(0.0, due_s - time.monotonic()))
            connection.sendall(request)
            status = _answer(connection)
            print(due_s, time.monotonic() - due_s, status, flush=True)


def _answer(connection: socket.socket) -> int:
    """The status of an answer, which is read whole."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _received(connection)
    length = int(data[:end].lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(data) < end + 4 + length:
        data += _received(connection)
    return int(data[9:12])


def _received(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise ConnectionError("the neighbour's connection was closed")
    return received


if __name__ == "__main__":
    _post_for_ever(int(sys.argv[1]), bytes.fromhex(sys.argv[2]))
