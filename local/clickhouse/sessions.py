"""HTTP sessions: a `session_id` has a connection of its own, so its settings, its current database
and its temporary tables are seen by nobody else, and end `session_timeout` after its last request.

https://clickhouse.com/docs/interfaces/http: one request of a session at a time, others are refused.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from local.clickhouse.connection import Connection
from local.clickhouse.errors import TOO_MANY_SIMULTANEOUS_QUERIES, refused

SESSIONS_MAX = 256
TIMEOUT_S = 60
TIMEOUT_MAX_S = 3600


@dataclass(frozen=True)
class Asked:
    """What a request says of its session."""

    user: str
    id: str
    timeout_s: float = TIMEOUT_S
    must_exist: bool = False
    ends: bool = False


def asked(user: str, parameters: Mapping[str, str]) -> Asked | None:
    """The session that the URL names, None without one. Raises `QueryFailed` (374)."""
    if not (id_ := parameters.get("session_id", "")):
        return None
    given = parameters.get("session_timeout") or str(TIMEOUT_S)
    if not given.isascii() or not given.isdigit():
        raise refused(374, f"Invalid session timeout: '{given}'", "INVALID_SESSION_TIMEOUT")
    if int(given) > TIMEOUT_MAX_S:
        text = f"Session timeout '{given}' is larger than max_session_timeout: {TIMEOUT_MAX_S}"
        raise refused(374, text, "INVALID_SESSION_TIMEOUT")
    must_exist, ends = (parameters.get(name) == "1" for name in ("session_check", "close_session"))
    return Asked(user, id_, float(given), must_exist, ends)


@dataclass
class Session:
    """One session: whether a request holds it, whether it has something to remember, when it ends."""

    connection: Connection
    database: str = "default"
    held: bool = False
    keeps: bool = False
    end: asyncio.TimerHandle | None = None


class Sessions:
    """Those that have not ended. `connect` makes a connection, `at_once` of them run statements."""

    def __init__(self, connect: Callable[[], Connection], at_once: int) -> None:
        self._connect = connect
        self._sessions: dict[tuple[str, str], Session] = {}
        self._turns = asyncio.Semaphore(at_once)

    @contextlib.asynccontextmanager
    async def held(self, asked: Asked, wait_s: float) -> AsyncIterator[Session]:
        """The session, for one request. Raises `QueryFailed`: 372, 373, 202; `TimeoutError`."""
        key = asked.user, asked.id
        session = self._found(key, asked)
        session.held = True
        if session.end:
            session.end.cancel()
        try:
            await asyncio.wait_for(self._turns.acquire(), wait_s)
            try:
                yield session
            finally:
                self._turns.release()
        finally:
            session.held = False
            timeout_s = 0 if asked.ends else asked.timeout_s
            session.end = asyncio.get_running_loop().call_later(timeout_s, self._ended, key)

    def _found(self, key: tuple[str, str], asked: Asked) -> Session:
        session = self._sessions.pop(key, None)
        if session is None and asked.must_exist:
            raise refused(372, f"Session {asked.id} not found", "SESSION_NOT_FOUND")
        if session is None:
            self._make_room()
            session = Session(self._connect())
        self._sessions[key] = session  # the last: the first is the one unused the longest
        if session.held:
            text = f"Session {asked.id} is locked by a concurrent client"
            raise refused(373, text, "SESSION_IS_LOCKED")
        return session

    def _make_room(self) -> None:
        """End one that has nothing to remember, which nobody notices."""
        if len(self._sessions) < SESSIONS_MAX:
            return
        for key, session in self._sessions.items():
            if not session.held and not session.keeps:
                self._ended(key)
                return
        raise refused(
            TOO_MANY_SIMULTANEOUS_QUERIES,
            f"{SESSIONS_MAX} sessions hold settings or temporary tables, the most that this local"
            " server keeps; each ends session_timeout seconds after its last request",
            "TOO_MANY_SIMULTANEOUS_QUERIES",
        )

    def _ended(self, key: tuple[str, str]) -> None:
        session = self._sessions.pop(key)
        if session.end:
            session.end.cancel()
        # in a thread: what a client left running goes on until it is done
        asyncio.get_running_loop().run_in_executor(None, session.connection.close)

    def close(self) -> None:
        """End all."""
        for session in self._sessions.values():
            session.connection.close()
