"""The edge's table of contents: what it serves, on what, and when it is ready."""

import contextlib
from collections.abc import AsyncIterator

from prometheus_client.registry import Collector
from starlette.types import ASGIApp

from contracts import paths
from contracts.topics import EVENTS, SUBSCRIPTIONS
from ingest.admission import Admission, Rates
from ingest.batch import BatchLimits, PostBatch
from ingest.budget import Budget
from ingest.events import PostEvent
from ingest.first_bodies import FirstBodies
from ingest.measures import InHand
from ingest.proofs import Proofs
from ingest.proving import ProvingResource
from ingest.settings import IngestSettings
from ingest.store import SubscriptionStore
from ingest.subscriptions import SubscriptionResource
from service.access.keys import SigningKeys
from service.access.verifier import Verifier
from service.http.app import Front, asgi_app
from service.http.asgi import Resources
from service.http.measures import Log
from service.kafka.eventlog import EventLog
from service.kafka.follow import SubscriptionsFollower
from service.kafka.partition import QueueLimits
from service.logs import configure


class Edge:
    """The parts of one edge process."""

    def __init__(self, settings: IngestSettings) -> None:
        limits = QueueLimits(settings.waiting_bytes_max, settings.ack_timeout_s)
        self.verifier = Verifier(settings.access, SigningKeys(settings.access))
        self.log = EventLog(settings.kafka, (EVENTS, SUBSCRIPTIONS), limits)
        self.follower = SubscriptionsFollower(settings.kafka, with_changes=True)
        self._admission = Admission(
            Rates(settings.tenant_rate, settings.tenant_rates), Budget(settings.in_flight_bytes_max)
        )
        self._subscriptions_max = settings.subscriptions_per_tenant_max
        self._proofs = Proofs(settings.destinations, settings.sqs)
        self._principal = settings.destinations.principal
        self._in_flight_bytes_max = settings.in_flight_bytes_max
        self._batch_limits = BatchLimits(
            settings.batch_items_max, settings.batch_bytes_max, settings.event_bytes_max
        )

    def resources(self) -> Resources:
        """Handlers by path and method; the busiest first."""
        first_bodies, limits = FirstBodies(), self._batch_limits
        post_event = PostEvent(
            self.verifier, self._admission, self.log, first_bodies, limits.event_bytes
        )
        store = SubscriptionStore(self.log, self.follower)
        subscriptions = SubscriptionResource(
            self.verifier, store, self.follower, self._subscriptions_max, self._proofs
        )
        proving = ProvingResource(
            self.verifier,
            store,
            self.follower,
            self._admission.rates,
            self._proofs,
            self._principal,
        )
        post_batch = PostBatch(self.verifier, self._admission, self.log, first_bodies, limits)
        return {
            paths.EVENTS: {"POST": post_event},
            paths.BATCH: {"POST": post_batch},
            **subscriptions.resources(),
            **proving.resources(),
        }

    def collectors(self) -> list[Collector]:
        """What it measures beside its requests."""
        return [InHand(self._admission.budget, self._in_flight_bytes_max), Log(self.log)]

    async def waiting_for(self) -> list[str]:
        """What keeps the edge from being ready."""
        parts = {"kafka": self.log.ready, "subscriptions": self.follower.ready}
        missing = [name for name, ready in parts.items() if not ready]
        return missing + [f"{topic}: made anew" for topic in self.log.made_anew]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connected for as long as the context is open."""
        await self.log.start()
        await self.follower.start()
        try:
            yield
        finally:
            self._proofs.close()
            await self.follower.stop()
            await self.log.stop()


def create_app(settings: IngestSettings) -> ASGIApp:
    """The ASGI application."""
    edge = Edge(settings)
    front = Front(settings.http, edge.collectors())
    return asgi_app(edge.resources(), edge.waiting_for, edge.running, front)


def from_environment() -> ASGIApp:
    """The application of one worker."""
    configure("ingest")
    return create_app(IngestSettings())
