"""Fixtures: the servers for all fault tests, and a runner of scenarios on them."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.faults.ledger import LedgerScenario
from tests.faults.routing import PlayRouting, routing
from tests.faults.routing import Story as RoutingStory
from tests.faults.scenario import Play, Scenario, Story, scenario
from tests.faults.servers import Servers, running


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Kafka and ClickHouse, without any service."""
    with running(tmp_path_factory.mktemp("faults")) as started:
        yield started


@pytest.fixture
def play(servers: Servers) -> Play:
    """Runs a story on a scenario of its own."""
    return _player(servers, Scenario)


@pytest.fixture
def play_ledger(servers: Servers) -> Play:
    """The same on a log of attempts and the ledger."""
    return _player(servers, LedgerScenario)


def _player(servers: Servers, kind: type[Scenario]) -> Play:
    async def run(story: Story) -> None:
        async with scenario(servers, kind) as made:
            await story(made)

    return lambda story: asyncio.run(run(story))


@pytest.fixture
def play_routing(servers: Servers) -> PlayRouting:
    """Runs a story on routers, queues and subscriptions of its own."""

    async def run(story: RoutingStory) -> None:
        async with routing(servers) as made:
            await story(made)

    return lambda story: asyncio.run(run(story))
