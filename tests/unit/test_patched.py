"""The places of other libraries that this project replaces or reaches into: as they were when it did.

A test that fails here says: read what has changed, see that ours still fits, then write down the new
sum. `pyproject.toml` has an upper bound for each of these libraries, so that only an upgrade meets it.
"""

import hashlib
import inspect
import tomllib
from pathlib import Path
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer import fetcher
from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance, GroupCoordinator
from aiokafka.record import default_records
from faststream.kafka import KafkaBroker
from packaging.requirements import Requirement
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

ROOT = Path(__file__).parent.parent.parent
PLACES = {
    "a client's first connection (service: bootstrap)": (
        AIOKafkaClient.bootstrap,
        "198943b004e55849",
    ),
    "connecting and asking for versions (service: Produce over aiokafka's connection)": (
        AIOKafkaConnection,
        "ac26ab36fe7cd5b4",
    ),
    "reading a partition's batches (processors: checksums)": (
        fetcher.PartitionRecords,
        "94aa0da0dbec8d1b",
    ),
    "decompressing a batch (processors: checksums)": (
        default_records._DefaultRecordBatchPy._maybe_uncompress,
        "c9d0dc2bed50cc86",
    ),
    "asking a group's coordinator (service: coordinator)": (
        GroupCoordinator._send_req,
        "fa4b12e914ce9fcf",
    ),
    "ending its tasks (service: coordinator)": (GroupCoordinator.close, "f30d831089456312"),
    "leaving a group (service: coordinator)": (
        GroupCoordinator._maybe_leave_group,
        "016cd88a16e6c4b5",
    ),
    "joining once for each strategy (processors: run; service: coordinator)": (
        CoordinatorGroupRebalance.perform_group_join,
        "ff2c2109b2e9868d",
    ),
    "starting its commit refresh (service: coordinator)": (
        GroupCoordinator.start_commit_offsets_refresh_task,
        "09f8ca6fe7f3152b",
    ),
    "making consumers (processors: run)": (KafkaBroker._connect, "24f5e609cfeb198b"),
    "the ASGI side of a request (service: protocol)": (RequestResponseCycle, "e67d470d435dcc1c"),
}


def sum_of(place: Any) -> str:
    return hashlib.sha256(inspect.getsource(place).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", PLACES)
def test_the_place_is_as_it_was(name: str) -> None:
    place, expected = PLACES[name]
    assert sum_of(place) == expected


@pytest.mark.parametrize("library", ["aiokafka", "faststream", "uvicorn", "httptools"])
def test_an_upgrade_is_a_decision(library: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [needed] = [
        each for text in project["dependencies"] if (each := Requirement(text)).name == library
    ]
    assert any(each.operator == "<" for each in needed.specifier), f"{library} has no upper bound"
