"""Fixtures: one stack for the whole run, a tenant of its own for each test."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import stack as stacks
from tests.stack import Stack

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "retail-events.ndjson"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The local stack, started as a person starts it."""
    running = stacks.start(tmp_path_factory.mktemp("events") / "home")
    yield running
    stacks.stop(running)


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test uses."""
    return f"t-{uuid.uuid4().hex[:12]}"
