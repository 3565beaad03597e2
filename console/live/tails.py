"""All tails of a process, a bounded number of each tenant; those who look at the same are a group."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from console.api import Api, Caller
from console.live.follower import Follower, Since
from console.live.group import Group
from console.live.turns import Turns
from console.live.view import View
from console.session import Session


class TooManyTails(Exception):
    """No further one: `of_tenant` when the tenant has as many as it may, else the process."""

    def __init__(self, most: int, tenant: str | None = None) -> None:
        of = f"{tenant} has" if tenant else "The console has"
        super().__init__(f"{of} {most:,} live tails open, which is the limit. Close one.")
        self.of_tenant = tenant is not None


class Tails:
    """All tails of a process."""

    def __init__(self, api: Api, tails_max: int, of_tenant_max: int) -> None:
        self._api = api
        self._max = tails_max
        self._of_tenant_max = of_tenant_max
        self._groups: dict[object, Group] = {}
        self._turns, self._view = Turns(), View()
        self._counts: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def follow(
        self, session: Session, key: object, body: dict[str, Any], since: Since
    ) -> AsyncIterator[Follower]:
        """What `body` asks for since then; `key` is the same for the same. Raises `TooManyTails`."""
        tenant = session.tenant
        if self._counts[tenant] >= self._of_tenant_max:
            raise TooManyTails(self._of_tenant_max, tenant)
        if self._counts.total() >= self._max:
            raise TooManyTails(self._max)
        group = self._groups.get((tenant, key))
        if group is None:
            group = self._groups[tenant, key] = Group(
                self._api, self._turns, self._view, tenant, body
            )
        follower = Follower(session, since)
        self._counts[tenant] += 1
        group.enter(follower)
        try:
            yield follower
        finally:
            self._counts -= Counter([tenant])
            if not group.leave(follower):
                del self._groups[tenant, key]

    async def visible_until_ms(self, caller: Caller, now_ms: int) -> int:
        """All received before it is found by whoever asks now, ms since 1970. Raises `NotSignedIn`."""
        return await self._view.until_ms(caller, now_ms)

    async def stop(self) -> None:
        """End all questions."""
        for group in self._groups.values():
            group.end()
