"""New tokens before the old ones end: one request to the issuer, however many pages ask at once.

What a refresh token brought is remembered for minutes, by that token: a second request that left the browser
with the older cookie gets the same, instead of using the token twice, which the issuer takes for theft.
"""

import asyncio
from collections import OrderedDict

from console.access.identity import Granted, Identity
from console.access.issuer import Issuer, Tokens
from console.access.metadata import IssuerAway

REMEMBER_S = 300.0
RETRY_S = 5.0
"""After the issuer gave no answer."""
REMEMBERED_MAX = 5_000

Refreshed = tuple[Tokens, Granted]


class Refreshing:
    """One per process."""

    def __init__(self, issuer: Issuer, identity: Identity) -> None:
        self._issuer = issuer
        self._identity = identity
        self._tasks: OrderedDict[str, asyncio.Task[Refreshed]] = OrderedDict()

    async def refreshed(self, refresh_token: str) -> Refreshed:
        """The tokens for `refresh_token`. Raises `IssuerAway`, `IssuerRefuses`, `NotAccepted`."""
        task = self._tasks.get(refresh_token)
        if task is None:
            task = asyncio.create_task(self._refresh(refresh_token), name="refresh")
            self._tasks[refresh_token] = task
            task.add_done_callback(lambda done: self._forget_later(refresh_token, done))
            if len(self._tasks) > REMEMBERED_MAX:
                self._tasks.popitem(last=False)
        return await asyncio.shield(task)  # who asked first may go; the others wait on

    async def _refresh(self, refresh_token: str) -> Refreshed:
        tokens = await self._issuer.refresh(refresh_token)
        if not tokens.refresh_token:  # it may be kept as it is (RFC 6749 section 6)
            tokens.refresh_token = refresh_token
        return tokens, await self._identity.granted(tokens.access_token)

    def _forget_later(self, refresh_token: str, done: "asyncio.Task[Refreshed]") -> None:
        error = None if done.cancelled() else done.exception()  # whoever waited has it
        later_s = RETRY_S if isinstance(error, IssuerAway) else REMEMBER_S
        asyncio.get_running_loop().call_later(later_s, self._tasks.pop, refresh_token, None)
