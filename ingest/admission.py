"""Whether a request is let in: memory of the process (see `budget.py`), rate of the tenant.

Both are per process. A tenant whose buckets hold an event and a byte is let in and pays in full, so a
batch may take them below zero; it is let in again when time has filled them. Refused requests of a
tenant wait a moment for their answer, so that a client in a loop does not take the processor from others.
"""

import asyncio
import math
import time
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import BaseModel, Field

from contracts.problems import Problem
from ingest.budget import Budget

TENANTS_MAX = 10_000
"""Buckets that are kept; one that is dropped begins full."""
FILL_S = 0.01
"""How often a bucket is filled that holds enough."""
REFUSAL_PAUSE_S = 0.25
PAUSED_MAX = 2_000


class Rate(BaseModel, frozen=True):
    """What one tenant may post to one process, over time and at once."""

    events_per_s: float = Field(10_000, ge=1, description="Events per second.")
    bytes_per_s: float = Field(20_000_000, ge=1, description="Bytes of request bodies per second.")
    burst_s: float = Field(2, ge=1, description="Seconds' worth that may come at once.")


class _Bucket:
    __slots__ = ("bytes", "events", "filled_s", "rate")

    def __init__(self, rate: Rate, now_s: float) -> None:
        self.rate = rate
        self.events = rate.events_per_s * rate.burst_s
        self.bytes = rate.bytes_per_s * rate.burst_s
        self.filled_s = now_s

    def fill(self, now_s: float) -> None:
        rate, passed_s = self.rate, now_s - self.filled_s
        self.filled_s = now_s
        self.events = min(
            rate.events_per_s * rate.burst_s, self.events + passed_s * rate.events_per_s
        )
        self.bytes = min(rate.bytes_per_s * rate.burst_s, self.bytes + passed_s * rate.bytes_per_s)


class Rates:
    """A token bucket of events and one of bytes for each tenant."""

    def __init__(self, rate: Rate, of_tenants: Mapping[str, Rate]) -> None:
        self._rate = rate
        self._of_tenants = of_tenants
        self._buckets: dict[str, _Bucket] = {}
        self._paused = 0

    def admit(self, tenant: str, size_bytes: int) -> Problem | None:
        """Pay for one event and `size_bytes`; the refusal instead when a bucket is empty."""
        now_s = time.monotonic()
        bucket = self._buckets.get(tenant) or self._new(tenant, now_s)
        if now_s - bucket.filled_s > FILL_S or bucket.events < 1 or bucket.bytes < 1:
            bucket.fill(now_s)
        if bucket.events < 1 or bucket.bytes < 1:
            return _refusal(bucket)
        bucket.events -= 1
        bucket.bytes -= size_bytes
        return None

    def charge(self, tenant: str, events: int, size_bytes: int) -> None:
        """Pay for what turned out to be in a request that was let in."""
        bucket = self._buckets.get(tenant)
        if bucket is not None:
            bucket.events -= events
            bucket.bytes -= size_bytes

    async def refuse(self, refusal: Problem) -> None:
        """Raise `refusal` after a pause, while not too many are paused already."""
        if self._paused < PAUSED_MAX:
            self._paused += 1
            try:
                await asyncio.sleep(REFUSAL_PAUSE_S)
            finally:
                self._paused -= 1
        raise refusal

    def _new(self, tenant: str, now_s: float) -> _Bucket:
        if len(self._buckets) >= TENANTS_MAX:
            self._buckets.pop(next(iter(self._buckets)))
        rate = self._of_tenants.get(tenant, self._rate)
        bucket = self._buckets[tenant] = _Bucket(rate, now_s)
        return bucket


class Admission(NamedTuple):
    """Both of them, for every handler that takes events."""

    rates: Rates
    budget: Budget


def _refusal(bucket: _Bucket) -> Problem:
    """429 with the RateLimit fields of draft-ietf-httpapi-ratelimit-headers-10."""
    rate = bucket.rate
    levels = {
        "events": (bucket.events, rate.events_per_s),
        "bytes": (bucket.bytes, rate.bytes_per_s),
    }
    seconds = {
        name: math.ceil((1 - level) / per_s) for name, (level, per_s) in levels.items() if level < 1
    }
    window_s = math.ceil(rate.burst_s)
    policy = ", ".join(
        f'"{name}";q={int(per_s * rate.burst_s)};w={window_s}'
        for name, (_, per_s) in levels.items()
    )
    return Problem(
        429,
        f"The tenant's rate is used up: {rate.events_per_s:g} events and {rate.bytes_per_s:g} bytes"
        f" per second, {rate.burst_s:g} s' worth at once.",
        headers={
            "Retry-After": str(max(seconds.values())),
            "RateLimit-Policy": policy,
            "RateLimit": ", ".join(f'"{name}";r=0;t={wait}' for name, wait in seconds.items()),
        },
        extra={"violated-policies": list(seconds)},
    )
