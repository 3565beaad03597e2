"""Fixtures: one cluster for all tests of the folder."""

import os
from collections.abc import Iterator

import pytest

from tests.cluster.brokers import Brokers

SESSION_MS = 3_000
KAFKA_SESSION_MS = 9_000
"""Kafka's default, for the long form."""


def long_form() -> bool:
    """Whether TESTS_FAULTS_CLUSTER asks for all that the cluster can go through."""
    return os.environ.get("TESTS_FAULTS_CLUSTER") == "long"


@pytest.fixture(scope="package")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """Three brokers that come up."""
    session_ms = KAFKA_SESSION_MS if long_form() else SESSION_MS
    made = Brokers(tmp_path_factory.mktemp("cluster"), session_ms)
    try:
        made.start()
        yield made
    finally:
        made.clean_up()
