"""The resources of subscriptions over HTTP, on a log that the table follows at once."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from contracts.changes import Changes
from contracts.encoding.recordbatch import Record
from contracts.paths import SUBSCRIPTIONS
from contracts.subscription_table import Subscriptions
from ingest.admission import Rate, Rates
from ingest.proofs import Proofs
from ingest.proving import ProvingResource
from ingest.store import SubscriptionStore
from ingest.subscriptions import SubscriptionResource
from service.access.verifier import Grant
from service.connections import SqsConnection
from service.destinations import Destinations
from service.http.app import asgi_app
from service.kafka.partition import Unacknowledged
from tests.queues import ACCOUNT, arn

BODY: dict[str, Any] = {
    "name": "faults",
    "filter": {"event_type": ["FAULT"]},
    "destination": {"type": "sqs", "arn": arn("q")},
}
LOCAL = Destinations(accounts={"*": (ACCOUNT,)})


class Verifier:
    """The tenant of the header, by a subject of its name."""

    async def grant(self, headers: dict[bytes, bytes]) -> Grant:
        tenant = headers[b"x-twc-tenant"].decode()
        return Grant(tenant, 0.0, f"client-of-{tenant}")


class Follower:
    """A table that is always up to date, unless it is `away`."""

    def __init__(self) -> None:
        self.table = Subscriptions(Changes())
        self.ready = True
        self.away = False

    async def catch_up(self, timeout_s: float) -> bool:
        return not self.away

    async def wait_for(self, offset: int, timeout_s: float) -> bool:
        return True


class Log:
    """Stands for the log; keeps key and value of each record."""

    def __init__(self, follower: Follower) -> None:
        self.records: list[tuple[bytes, bytes | None]] = []
        self.away = False
        self._follower = follower

    def append_together(self, topic: str, records: Sequence[Record]) -> "asyncio.Future[int]":
        taken: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self.away:
            taken.set_exception(Unacknowledged("no answer"))
            return taken
        for record in records:
            key, value = _read(record.content)
            self.records.append((key, value))
            self._follower.table.apply(key, value)
        taken.set_result(len(self.records) - 1)
        return taken


def _read(content: bytes) -> tuple[bytes, bytes | None]:
    """Key and value of a record's content (KIP-98: lengths are zigzag varints)."""

    def sized(at: int) -> tuple[bytes | None, int]:
        number = shift = 0
        while True:
            byte = content[at]
            number, shift, at = number | (byte & 0x7F) << shift, shift + 7, at + 1
            if byte < 0x80:
                break
        size = (number >> 1) ^ -(number & 1)
        return (None, at) if size < 0 else (content[at : at + size], at + size)

    key, at = sized(0)
    assert key is not None
    return key, sized(at)[0]


class Edge:
    """The resource with its fakes, and a client's requests."""

    def __init__(
        self, per_tenant_max: int = 1000, destinations: Destinations = LOCAL, **sqs: Any
    ) -> None:
        self.follower = Follower()
        self.log = Log(self.follower)
        parts: Any = (self.log, self.follower, Verifier())
        log, follower, verifier = parts
        store = SubscriptionStore(log, follower)
        proofs = Proofs(destinations, SqsConnection(**sqs))
        rates = Rates(Rate(), {"slow": Rate(events_per_s=1, burst_s=5)})
        resource = SubscriptionResource(verifier, store, follower, per_tenant_max, proofs)
        proving = ProvingResource(verifier, store, follower, rates, proofs, destinations.principal)

        async def ready() -> list[str]:
            return []

        resources = resource.resources() | proving.resources()
        self.app = asgi_app(resources, ready, lambda: pytest.fail("no lifespan"))

    def ask(self, method: str, path: str, tenant: str = "acme", **request: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            headers = {"X-TWC-Tenant": tenant} | request.pop("headers", {})
            async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
                return await client.request(method, path, headers=headers, **request)

        return asyncio.run(once())

    def create(self, **changes: Any) -> httpx.Response:
        answer = self.ask("POST", SUBSCRIPTIONS, json=BODY | changes)
        assert answer.status_code == 201, answer.text
        return answer

    def changes(self, path: str) -> list[Any]:
        found: list[Any] = self.ask("GET", f"{path}/changes").json()["items"]
        return found
