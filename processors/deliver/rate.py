"""A subscription's own limit of messages per second: a token bucket that holds one second's worth."""

import time


class Rate:
    """Tokens of one lane. It is asked with the limit of the moment: subscriptions are edited."""

    def __init__(self) -> None:
        self._tokens = 0.0
        self._seen_s = -1.0
        self._per_s = 0.0

    def allowed(self, per_s: float, wanted: int) -> int:
        """How many of `wanted` messages may go now; `per_s` is above 0."""
        now_s, most = time.monotonic(), max(1.0, per_s)
        if self._seen_s < 0:
            self._tokens = most
        else:
            self._tokens = min(most, self._tokens + (now_s - self._seen_s) * per_s)
        self._seen_s, self._per_s = now_s, per_s
        return min(wanted, int(self._tokens))

    def spend(self, count: int) -> None:
        """So many have gone."""
        self._tokens -= count

    def wait_s(self, count: float = 1) -> float:
        """How long until `count` may go, or all that it holds; 0 for who was never asked."""
        wanted = min(count, max(1.0, self._per_s))
        if self._tokens >= wanted or not self._per_s:
            return 0.0
        return (wanted - self._tokens) / self._per_s
