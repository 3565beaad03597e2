"""How long a client may keep a connection waiting, from what is seen of it once a second.

RFC 9112 section 9.5 leaves it to the server; RFC 9110 section 15.5.9 has the answer, 408.
"""

from typing import Literal, NamedTuple

from service.connections import Http

LEAVING_S = 5.0
"""How long a client may take to read the last answer and close."""

Phase = Literal["idle", "head", "body", "answer", "leaving"]
Verdict = Literal["", "refuse", "close", "abort"]


class Seen(NamedTuple):
    """A connection at a moment: requests begun, bytes not sent yet, bytes received in all."""

    phase: Phase
    requests: int
    unsent: int
    received: int

    @property
    def progress(self) -> tuple[str, int, int]:
        """What changes only when the connection gets on."""
        writes = self.phase in ("answer", "leaving")
        return self.phase, self.requests, self.unsent if writes else 0


class Patience:
    """What was seen of one connection before, and since when nothing but bytes has come."""

    __slots__ = ("_before", "_heard_s", "_last", "_since_s")

    def __init__(self) -> None:
        self._before = self._last = Seen("idle", -1, 0, 0)
        self._since_s = self._heard_s = 0.0

    def look(self, seen: Seen, now_s: float, limits: Http, *, waits_for_us: bool) -> Verdict:
        """What is to be done; `waits_for_us`: it is not read at the moment, so it cannot be late."""
        if seen.progress != self._before.progress or waits_for_us:
            self._before = self._last = seen
            self._since_s = self._heard_s = now_s
            return ""
        if seen.received != self._last.received:
            self._last, self._heard_s = seen, now_s
        return self._verdict(seen, now_s - self._since_s, now_s - self._heard_s, limits)

    def _verdict(self, seen: Seen, passed_s: float, silent_s: float, limits: Http) -> Verdict:
        longest_s = limits.silence_s
        if seen.phase == "leaving":
            return "abort" if passed_s > (longest_s if seen.unsent else LEAVING_S) else ""
        if seen.phase == "answer":
            return "abort" if seen.unsent and passed_s > longest_s else ""
        if seen.phase == "head":
            return "refuse" if passed_s > longest_s else ""
        if seen.phase == "body":
            sent_s = (seen.received - self._before.received) / limits.body_bytes_per_s
            return "refuse" if silent_s > longest_s or passed_s > longest_s + sent_s else ""
        if seen.requests:
            longest_s = limits.keep_alive_s
        return "close" if passed_s > longest_s else ""
