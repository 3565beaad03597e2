"""Lists of jobs: in pages, of one subscription when that is asked for, never another tenant's."""

import asyncio
from typing import Any

import httpx
import pytest

from contracts import paths
from contracts.jobs import Jobs, encode, job_key
from query.jobs import ListJobs
from service.http.app import asgi_app
from tests.unit.test_job_standing import a_job

OURS, THEIRS = (f"0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2{last}" for last in "ab")


class Verifier:
    """Everybody is acme."""

    async def tenant(self, headers: dict[bytes, bytes]) -> str:
        return "acme"


class Store:
    """A hundred jobs of one subscription, and every tenth of another one; some of another tenant."""

    def __init__(self) -> None:
        self.table = Jobs()
        for at in range(110):
            of = THEIRS if at % 10 else OURS
            for tenant in ("acme", "other"):
                job_id = f"{at:08d}-7c1e-7d3f-8a5b-2f6c9d0e1a2b"
                job = a_job(job_id, at=at, tenant=tenant, subscription_id=of)
                self.table.apply(job_key(tenant, job_id), encode(job))

    async def current(self) -> Jobs:
        return self.table


def listed(**query: Any) -> httpx.Response:
    verifier: Any = Verifier()
    store: Any = Store()
    resources: Any = {paths.JOBS: {"GET": ListJobs(verifier, store)}}

    async def ready() -> list[str]:
        return []

    async def once() -> httpx.Response:
        app: Any = asgi_app(resources, ready, lambda: pytest.fail("no lifespan"))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://query") as client:
            return await client.get(paths.JOBS, params=query)

    return asyncio.run(once())


@pytest.mark.parametrize(("criteria", "count"), [({}, 110), ({"subscription_id": OURS}, 11)])
def test_all_of_them_are_found_in_pages_the_newest_first(
    criteria: dict[str, str], count: int
) -> None:
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {**criteria, "limit": 4}
    while True:
        answer = listed(**query)
        page = answer.json()
        found += page["jobs"]
        if page["next"] is None:
            break
        assert all(name in answer.links["next"]["url"] for name in criteria)
        query["cursor"] = page["next"]
    ids = [each["id"] for each in found]
    assert ids == sorted(set(ids), reverse=True)
    assert len(ids) == count
    assert {each["subscription_id"] for each in found} == ({OURS} if criteria else {OURS, THEIRS})


def test_what_is_no_id_of_a_subscription_is_refused() -> None:
    answer = listed(subscription_id="x")
    assert answer.status_code == 400
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/subscription_id"]
