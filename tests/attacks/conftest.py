"""The edge that is attacked, one for each module."""

from collections.abc import Iterator

import pytest

from tests.attacks.table import Door, door_with
from tests.stack import Stack


@pytest.fixture(scope="module")
def door(stack: Stack) -> Iterator[Door]:
    """An edge with the settings that it comes with, but for the rates."""
    with door_with(stack) as running:
        yield running
