"""Fixtures: one stack for the whole run and all workers, a tenant of its own for each test."""

import gc
import os
import uuid
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

from tests import budget, certificates, containers
from tests.examples import examples
from tests.shared import shared
from tests.stack import Another, Stack

# JVMs of tests live for a minute or two: what the second compiler would gain, it costs more
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")

certificates.read_once()

ANOTHER = pytest.StashKey[Another]()

# these machines are shared and noisy: how long an example takes says nothing
hypothesis.settings.register_profile("tests", deadline=None, max_examples=examples(100))
hypothesis.settings.load_profile("tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Arrange the tests when workers share them; a plain run keeps its order."""
    if hasattr(config, "workerinput"):
        budget.arrange(items)


def pytest_collection_finish() -> None:
    """Keep what was read out of the garbage collector's sight: going through it cost a tenth of the CPU."""
    gc.collect()
    gc.freeze()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> budget.ByFolder:
    """Share them by folder (xdist's groups by mark have no effect with this pytest)."""
    return budget.ByFolder(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the seconds of each folder. One over its budget is no failure: machines differ."""
    found = (report for each in terminalreporter.stats.values() for report in each)
    lines = budget.account(report for report in found if isinstance(report, pytest.TestReport))
    terminalreporter.section("seconds by folder, all workers together")
    for line in lines:
        terminalreporter.line(line)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """What asynchronous tests run on: pytest runs each `async def test_...` itself (anyio_mode)."""
    return "asyncio"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The local stack, started as a person starts it; tests of other workers use it too."""
    folder = tmp_path_factory.getbasetemp()
    with shared(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) as running:
        yield running


@pytest.fixture(scope="session")
def another(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Another]:
    """A stack with settings of its own, shared with the tests that want the same ones."""
    one = request.config.stash[ANOTHER] = Another(lambda: tmp_path_factory.mktemp("another"))
    yield one
    one.stop()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End that stack with the group that wants it: it costs a tenth of a core while nobody does."""
    if ANOTHER in item.config.stash and (
        nextitem is None or budget.group(nextitem.nodeid) != budget.group(item.nodeid)
    ):
        item.config.stash[ANOTHER].stop()


@pytest.fixture(scope="session", params=["local", "containers"])
def any_stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The local stack, and the one of compose.yaml where a Docker engine is."""
    if request.param == "local":
        yield request.getfixturevalue("stack")
        return
    if reason := containers.why_not():
        pytest.skip(f"compose.yaml is not run: {reason}")
    with containers.running() as running:
        yield running


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test uses."""
    return f"t-{uuid.uuid4().hex[:12]}"
