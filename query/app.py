"""The query service's table of contents: what it serves, on what, and when it is ready."""

import contextlib
import functools
from collections.abc import AsyncIterator

from prometheus_client.registry import Collector
from starlette.types import ASGIApp

from contracts import paths
from contracts.clickhouse.replicas import LIVING
from contracts.resending import Redrive, Replay
from contracts.topics import DELIVERIES_JOBS, EVENTS, MATERIALIZE_GROUP, ROUTE_GROUP
from query.backtest import BackTest
from query.bounded import BoundedQueries
from query.counts import CountEvents, CountValues
from query.deliveries import Deliveries
from query.erase import DeleteEvent
from query.event_deliveries import GetEventDeliveries
from query.events import GetEvent
from query.explain import ExplainEvent
from query.fault_states import PutFaultState
from query.faults import GetFault, ListFaults
from query.job_store import JobStore
from query.jobs import ChangeJob, GetJob, ListJobs
from query.log import LogLookup
from query.lookup import Lookup
from query.measures import Lookups
from query.pages import Pages
from query.resend import Resend
from query.scan import Limits
from query.search import SearchByFilter, SearchEvents
from query.selection import Selection
from query.settings import QuerySettings
from query.slots import Slots
from query.status import GetStatus
from query.store import EventStore
from query.subscription_deliveries import GetDeliveries, GetHealth
from service.access.keys import SigningKeys
from service.access.verifier import Verifier
from service.clickhouse import ClickHouse
from service.http.app import Front, asgi_app
from service.http.asgi import Resources
from service.http.measures import Log
from service.http.wanted import WhileWanted
from service.kafka.eventlog import EventLog
from service.kafka.follow import JobsFollower, SubscriptionsFollower
from service.kafka.lags import Lags
from service.kafka.partition import QueueLimits
from service.kafka.stretch import Stretches
from service.logs import configure

WAITING_BYTES_MAX = 4 * 1024 * 1024
"""For one Kafka partition: thousands of tombstones, or a few jobs of the largest."""


class Reader:
    """The parts of one query process."""

    def __init__(self, settings: QuerySettings) -> None:
        self.verifier = Verifier(settings.access, SigningKeys(settings.access))
        self.clickhouse = ClickHouse(settings.clickhouse, settings.tables.cluster)
        self.log = EventLog(
            settings.kafka,
            (EVENTS, DELIVERIES_JOBS),
            QueueLimits(WAITING_BYTES_MAX, settings.ack_timeout_s),
        )
        self.follower = SubscriptionsFollower(settings.kafka)
        self.jobs = JobsFollower(settings.kafka)
        self.job_store = JobStore(self.log, self.jobs)
        store = functools.partial(
            EventStore,
            database=settings.clickhouse.database,
            ids_max=settings.lookup_ids_max,
            queries_max=settings.lookup_queries_max,
            waiting_max=settings.lookup_waiting_max,
        )
        self.store = self.everywhere = store(self.clickhouse.select)
        if settings.tables.cluster:
            select = functools.partial(self.clickhouse.select, settings=LIVING)
            self.everywhere = store(select, replicas=self.clickhouse.replicas)
        self.stretches = Stretches(settings.kafka, EVENTS, settings.log_read_bytes_max)
        self.log_lookup = LogLookup(self.stretches, settings.lookup_waiting_max)
        self.lags = Lags(settings.kafka, EVENTS, (MATERIALIZE_GROUP, ROUTE_GROUP))
        self.lookup = Lookup(
            self.store,
            settings.recent_s,
            settings.visible_timeout_s,
            self.everywhere,
            self.log_lookup if settings.log_read_bytes_max else None,
        )
        waited_s = settings.search_timeout_s
        limits = Limits(settings.search_rows_max, waited_s, settings.search_threads)
        slots = Slots(settings.search_queries_max, settings.search_waiting_max, waited_s)
        database = settings.clickhouse.database
        self.ask = ask = BoundedQueries(self.clickhouse.select, limits, slots)
        self.pages = Pages(self.clickhouse.select, database, limits, slots)
        self.deliveries = Deliveries(ask, database)
        self.selection = Selection(ask, database, settings.kafka)
        self._settings = settings

    def resources(self) -> Resources:
        """Handlers by path and method."""
        lookup, days = self.lookup, self._settings.search_days
        return {
            paths.EVENT: {
                "GET": GetEvent(self.verifier, lookup),
                "DELETE": DeleteEvent(self.verifier, lookup, self.log),
            },
            paths.EVENTS: {"GET": WhileWanted(SearchEvents(self.verifier, self.pages, days))},
            paths.SEARCH: {"POST": WhileWanted(SearchByFilter(self.verifier, self.pages, days))},
            paths.BACK_TEST: {"POST": WhileWanted(BackTest(self.verifier, self.pages, days))},
            paths.EXPLANATION: {"GET": ExplainEvent(self.verifier, lookup, self.follower)},
            paths.EVENT_DELIVERIES: {
                "GET": GetEventDeliveries(self.verifier, lookup, self.follower, self.deliveries)
            },
            paths.DELIVERIES: {
                "GET": GetDeliveries(self.verifier, self.follower, self.deliveries, days)
            },
            paths.HEALTH: {"GET": GetHealth(self.verifier, self.follower, self.deliveries)},
            paths.STATUS: {"GET": GetStatus(self.verifier, self.lags)},
            **self._counts(),
            **self._jobs(),
        }

    def _counts(self) -> Resources:
        database, days = self._settings.clickhouse.database, self._settings.search_days
        parts = (self.verifier, self.ask, database, days)
        return {
            paths.COUNTS: {"GET": WhileWanted(CountEvents(*parts))},
            paths.FIELDS: {"GET": WhileWanted(CountValues(*parts))},
            paths.FAULTS: {"GET": WhileWanted(ListFaults(*parts))},
            paths.FAULT: {"GET": WhileWanted(GetFault(*parts))},
            paths.FAULT_STATE: {"PUT": PutFaultState(self.verifier, self.log, self.store)},
        }

    def _jobs(self) -> Resources:
        picked, jobs = self.selection, (self.verifier, self.job_store)
        parts = (self.verifier, self.follower, picked, self.job_store)
        return {
            paths.REDRIVE: {"POST": Resend(*parts, "redrive", Redrive, picked.dead)},
            paths.REPLAY: {"POST": Resend(*parts, "replay", Replay, picked.again)},
            paths.JOBS: {"GET": ListJobs(*jobs)},
            paths.JOB: {"GET": GetJob(*jobs)},
            paths.JOB_PAUSE: {"POST": ChangeJob(*jobs, "paused")},
            paths.JOB_RESUME: {"POST": ChangeJob(*jobs, "running")},
            paths.JOB_CANCEL: {"POST": ChangeJob(*jobs, "cancelled")},
        }

    def collectors(self) -> list[Collector]:
        """What it measures beside its requests and the log."""
        return [Lookups(self.lookup, self.log_lookup)]

    async def waiting_for(self) -> list[str]:
        """What keeps the service from being ready; without Kafka, or the log, it goes on reading."""
        return [] if await self.clickhouse.ping() else ["clickhouse"]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Usable for as long as the context is open."""
        await self.log.start()
        await self.follower.start()
        await self.jobs.start()
        if self._settings.log_read_bytes_max:
            await self.stretches.start()
        try:
            yield
        finally:
            await self.lags.stop()
            await self.stretches.stop()
            await self.jobs.stop()
            await self.follower.stop()
            await self.log.stop()
            await self.clickhouse.close()


def create_app(settings: QuerySettings) -> ASGIApp:
    """The ASGI application."""
    reader = Reader(settings)
    front = Front(settings.http, [Log(reader.log), *reader.collectors()])
    return asgi_app(reader.resources(), reader.waiting_for, reader.running, front)


def from_environment() -> ASGIApp:
    """The application of one worker."""
    configure("query")
    return create_app(QuerySettings())
