"""Who may stay connected to a server: how many connections, and for how long each may keep it waiting.

One sweep per process looks at every connection each second, a few hundred at a time, instead of a
timer per connection or request. See RFC 9112 section 9.5 and, for what a slow client costs, RFC 9110
section 15.5.9.
"""

import asyncio
import logging
import resource
import time
from collections.abc import Collection
from typing import Protocol

from contracts.problems import Problem, unavailable
from service.connections import Http
from service.http.measures import Requests

log = logging.getLogger(__name__)

SWEEP_S = 1.0
SWEPT_AT_ONCE = 500
DESCRIPTORS_KEPT = 128
"""For Kafka, ClickHouse, the issuer, logs and connections that are being refused."""


class Connection(Protocol):
    """What the sweep needs of a connection."""

    def look(self, now_s: float) -> None:
        """End it when its client has kept us waiting; `now_s` as `time.monotonic` has it."""


class Door:
    """The connections of one server, counted and swept."""

    def __init__(self, http: Http | None = None) -> None:
        self.limits = http or Http()
        self.requests = Requests()
        self.connections_max = _room_for(self.limits.connections_max)
        self._connections: Collection[Connection] = ()
        self._unseen: list[Connection] = []
        self._sweeping = False
        self._full = False
        self._turned_away = 0

    def enter(self, connections: Collection[Connection]) -> Problem | None:
        """One was added to `connections`; the refusal when that is one too many."""
        if not self._sweeping:
            self._sweeping, self._connections = True, connections
            asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
        if len(connections) <= self.connections_max:
            return None
        if not self._full:
            self._full = True
            log.warning(
                "%d connections are open, the limit: more are refused", self.connections_max
            )
        self._turned_away += 1
        return unavailable(
            f"{self.connections_max:,} connections are open, which is the limit. Try again.",
            reason="connections",
        )

    def _sweep(self) -> None:
        loop, now_s = asyncio.get_running_loop(), time.monotonic()
        if not self._unseen:
            self._unseen = list(self._connections)
            self._note_room()
        seen, self._unseen = self._unseen[:SWEPT_AT_ONCE], self._unseen[SWEPT_AT_ONCE:]
        for connection in seen:
            connection.look(now_s)
        if self._unseen:
            loop.call_soon(self._sweep)
        elif self._connections:
            loop.call_later(SWEEP_S, self._sweep)
        else:
            self._sweeping = False

    def _note_room(self) -> None:
        if self._full and len(self._connections) < self.connections_max:
            self._full = False
            log.warning("there is room for connections again; refused: %d", self._turned_away)
            self._turned_away = 0


def _room_for(connections: int) -> int:
    """How many `connections` the process may have; more descriptors are asked for when it needs them."""
    needed = connections + DESCRIPTORS_KEPT
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return connections
    return max(1, soft - DESCRIPTORS_KEPT)
