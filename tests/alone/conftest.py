"""A stack that nobody else uses: its processes are frozen and killed, all that it counts is counted."""

import pytest

from tests.stack import Another, Stack


@pytest.fixture(scope="package")
def stack(another: Another) -> Stack:
    """One with the settings that it comes with."""
    return another.with_settings()
