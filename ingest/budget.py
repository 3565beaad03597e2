"""Memory of the process: how many bytes of requests it may have in hand, and who may hold them.

What has arrived is counted, not what a request says that it will send. Of bodies that are still coming,
and of batches, a tenant holds at most as much as is left free.
"""

from collections.abc import AsyncIterator
from typing import Self

from contracts.problems import unavailable


class Budget:
    """Bytes of the requests in hand; `of_tenant` those that a tenant takes its time with, see `Held`."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.used = 0
        self.of_tenant: dict[str, int] = {}

    def require_room(self, size_bytes: int) -> None:
        """Raise `Problem` 503 when `size_bytes` more are too much beside what is in hand."""
        if self.used + size_bytes > self.bytes_max and self.used:
            raise unavailable(
                f"{self.used:,} bytes of requests are in hand; the limit is {self.bytes_max:,}."
                " Try again.",
                reason="memory",
            )

    def take(self, size_bytes: int) -> None:
        """Count `size_bytes` in. Raises `Problem` 503 when that is too much; nothing is counted then."""
        self.require_room(size_bytes)
        self.used += size_bytes

    async def arriving(
        self, parts: AsyncIterator[bytes], size: int, tenant: str
    ) -> AsyncIterator[bytes]:
        """`parts`, which follow the first `size` bytes of a body, held by `tenant` until all have come."""
        with Held(self, tenant) as held:
            held.grow_to(size)
            async for part in parts:
                size += len(part)
                held.grow_to(size)
                yield part

    def give(self, size_bytes: int) -> None:
        """Count `size_bytes` out again."""
        self.used -= size_bytes


class Held:
    """One request's share of the budget, given back at the end of the context.

    It grows as the body arrives: a client that declares much and sends little holds little. All of a
    tenant's shares together are at most what is left free, so that it cannot use up the others': the
    dynamic threshold of Choudhury and Hahne (1998). A tenant's only one has all the room that there is.
    """

    __slots__ = ("_budget", "_tenant", "size_bytes")

    def __init__(self, budget: Budget, tenant: str) -> None:
        self._budget = budget
        self._tenant = tenant
        self.size_bytes = 0

    def grow_to(self, size_bytes: int) -> None:
        """Hold at least `size_bytes` in all. Raises `Problem` 503 when that is too much."""
        more = size_bytes - self.size_bytes
        if more <= 0:
            return
        budget = self._budget
        held = budget.of_tenant.get(self._tenant, 0)
        if held > self.size_bytes and held + more > budget.bytes_max - budget.used - more:
            raise unavailable(
                f"{held:,} bytes of the tenant's requests are in hand, which is its share of"
                f" {budget.bytes_max:,}. Try again.",
                reason="memory of a tenant",
            )
        budget.take(more)
        budget.of_tenant[self._tenant] = held + more
        self.size_bytes = size_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._budget.give(self.size_bytes)
        left = self._budget.of_tenant.pop(self._tenant, 0) - self.size_bytes
        if left > 0:
            self._budget.of_tenant[self._tenant] = left
