"""What a redrive or a replay would send again, as ledger and events have it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.clickhouse.resend import (
    Wanted,
    read_counted,
    read_placed,
    read_samples,
    select_told,
    wanted_again,
    wanted_dead,
)
from contracts.criteria import rfc_3339
from contracts.filters import Filter, parse
from contracts.jobs import POSITIONS_MAX, Job, Kind
from contracts.problems import unavailable
from contracts.resending import SAMPLES_MAX, Redrive, Replay
from contracts.subscription_table import filter_of
from contracts.subscriptions import Subscription
from contracts.topics import EVENTS, MATERIALIZE_GROUP
from query.bounded import Ask, BoundedQueries
from service.connections import KafkaConnection
from service.kafka.kept import NotTold, first_offsets, is_past

VIEW_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Counted:
    """How many there are, by error code or by day."""

    by: list[tuple[str, int]]

    @property
    def all(self) -> int:
        """All of them."""
        return sum(count for _, count in self.by)

    @property
    def taken(self) -> int:
        """How many one job takes."""
        return min(self.all, POSITIONS_MAX)

    @property
    def beyond(self) -> int:
        """And how many it has no room for."""
        return self.all - self.taken


class Selection:
    """Picks events. Methods raise `Problem` 503, `TooManySearches`, `Stopped` and `ClickHouseFailed`."""

    def __init__(self, ask: BoundedQueries, database: str, kafka: KafkaConnection) -> None:
        self._ask = ask
        self._database = database
        self._kafka = kafka

    async def dead(self, tenant: str, subscription: Subscription, asked: Redrive) -> Wanted:
        """What is dead of the subscription, and asked for."""
        filter_ = None if asked.filter is None else parse(asked.filter)
        firsts = await self._firsts()
        return wanted_dead(self._database, tenant, subscription.id, asked, filter_, firsts)

    async def again(self, tenant: str, subscription: Subscription, asked: Replay) -> Wanted:
        """What was received in the range, and is accepted; all of it is in the view by then."""
        filters: list[Filter] = [] if asked.filter is None else [parse(asked.filter)]
        if not asked.all:
            filters.append(filter_of(subscription))
        await self._require_view(asked.to)
        return wanted_again(self._database, tenant, asked, filters, await self._firsts())

    async def told(self, job: Job) -> int:
        """How many events of the job the ledger says the end of."""
        query = select_told(self._database, job.tenant, job.subscription_id, job.id)
        return int(await self._ask(query))

    async def count(self, wanted: Wanted) -> Counted:
        """How many they are."""
        return Counted(read_counted(await self._asking(wanted)(wanted.counts())))

    async def preview(self, kind: Kind, wanted: Wanted, counted: Counted) -> dict[str, Any]:
        """A `JobPreview`."""
        samples = []
        if counted.all:
            samples = read_samples(await self._asking(wanted)(wanted.samples(SAMPLES_MAX)))
        return {
            "kind": kind,
            "count": counted.taken,
            "beyond": counted.beyond,
            "counts": [{"of": name, "count": count} for name, count in counted.by],
            "samples": [
                {
                    "event_id": each.event_id,
                    "at": rfc_3339(each.at_ms),
                    "event_type": each.type,
                    "entity_id": each.entity,
                    "code": each.code,
                    "message": each.message,
                }
                for each in samples
            ],
        }

    async def places(self, wanted: Wanted) -> dict[str, list[int]]:
        """Where they are, the oldest `POSITIONS_MAX`."""
        return read_placed(await self._asking(wanted)(wanted.places(POSITIONS_MAX)))

    def _asking(self, wanted: Wanted) -> Ask:
        return self._ask.over(*wanted.received_ms) if wanted.received_ms else self._ask

    async def _require_view(self, to_ms: int) -> None:
        try:
            if await is_past(self._kafka, EVENTS, MATERIALIZE_GROUP, to_ms, VIEW_TIMEOUT_S):
                return
        except NotTold as error:
            raise unavailable(f"How far the view is, is not known: {error}. Try again.") from None
        raise unavailable(
            "Events of the range are not in the view yet. Try again, or end it sooner."
        )

    async def _firsts(self) -> Sequence[int]:
        try:
            return await first_offsets(self._kafka, EVENTS)
        except NotTold as error:
            raise unavailable(f"What Kafka keeps is not known: {error}. Try again.") from None
