"""Changes of subscriptions on the log, each with its record of who made it, and back in the table.

Both records are appended together. One change of a tenant at a time in this process; two processes
that change the same subscription within milliseconds may both find their If-Match: the later counts,
and both changes are told.
"""

import contextlib
from collections.abc import AsyncIterator

from uuid_utils import uuid7

from contracts.changes import Action, change_key, change_value
from contracts.criteria import rfc_3339
from contracts.encoding.recordbatch import Record, encode_headers, new_record
from contracts.pauses import pause_key
from contracts.problems import unavailable
from contracts.subscriptions import Subscription, subscription_key
from contracts.topics import SUBSCRIPTIONS
from service.access.verifier import Grant
from service.kafka.eventlog import EventLog
from service.kafka.follow import SubscriptionsFollower
from service.kafka.partition import Unaccepted, Unacknowledged
from service.kafka.turns import FOLLOW_TIMEOUT_S, Turns


class SubscriptionStore:
    """Writes changes, and returns when the table has followed."""

    def __init__(self, log: EventLog, follower: SubscriptionsFollower) -> None:
        self._log = log
        self._follower = follower
        self._turns = Turns(follower, "subscriptions")

    @contextlib.asynccontextmanager
    async def changing(self, tenant: str) -> AsyncIterator[None]:
        """The tenant's turn, with the table at the topic's end. Raises `Problem` 503."""
        async with self._turns.of(tenant):
            yield

    async def change(
        self, grant: Grant, action: Action, before: Subscription | None, after: Subscription | None
    ) -> None:
        """Store `after`; None deletes what was `before`. Raises `Problem` 503."""
        subscription = after or before
        if subscription is None:
            raise ValueError("nothing changes")
        made = uuid7()
        change = change_value(
            str(made),
            rfc_3339(made.timestamp),
            grant.subject,
            action,
            before.document() if before else None,
            after.document() if after else None,
        )
        changes = self._follower.table.changes
        written: list[tuple[bytes, bytes | None]] = [
            (change_key(grant.tenant, subscription.id, str(made)), change),
            (
                subscription_key(grant.tenant, subscription.id),
                after.represent() if after else None,
            ),
        ]
        if before is not None and before.paused is not None:  # lifted, and of no use any more
            written.append((pause_key(grant.tenant, subscription.id), None))
        if changes is not None:
            excess = changes.excess(grant.tenant, len(change))
            written = [*((key, None) for key in excess), *written]
        headers = encode_headers([("ce_tenant", grant.header)])
        await self._write(
            [new_record(key, value, headers, made.timestamp) for key, value in written]
        )

    async def _write(self, records: list[Record]) -> None:
        try:
            offset = await self._log.append_together(SUBSCRIPTIONS, records)
        except (Unaccepted, Unacknowledged) as error:
            raise unavailable(f"The change is not confirmed: {error}. Try again.") from None
        if not await self._follower.wait_for(offset, FOLLOW_TIMEOUT_S):
            raise unavailable("The change is stored and not visible yet.")
