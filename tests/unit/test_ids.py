"""An id in a path has one spelling; one that the edge makes is a UUIDv7 that names its partition."""

import json
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.clickhouse.table import select_events
from contracts.encoding.codec import decode_draft
from contracts.encoding.wire import decode_event, encode
from contracts.ids import NAMES_MAX, made_at_ms, partition_of, read_id
from contracts.problems import Problem
from ingest.events import make
from query.settings import QuerySettings
from service.kafka.eventlog import EventLog
from tests.builders import an_event

ID = "01a20d33-994f-74a1-8936-e15ecec113da"
OTHER_SPELLINGS = {
    "capitals": ID.upper(),
    "braces": f"{{{ID}}}",
    "a URN": f"urn:uuid:{ID}",
    "no dashes": ID.replace("-", ""),
    "dashes elsewhere": ID.replace("-", "", 1)[:9] + "-" + ID.replace("-", "", 1)[9:],
    "an Arabic digit": ID.replace("0", "\u0660", 1),
    "an underscore": ID.replace("0", "_", 1),
    "a blank before it": f" {ID}",
    "a line break behind it": f"{ID}\n",
    "one digit less": ID[:-1],
    "one digit more": f"{ID}0",
    "nothing": "",
    "a word": "latest",
}


def test_the_one_spelling_is_read() -> None:
    assert read_id(ID, "event") == uuid.UUID(ID)


@pytest.mark.parametrize("text", OTHER_SPELLINGS.values(), ids=OTHER_SPELLINGS.keys())
def test_every_other_spelling_is_a_bad_request_that_names_its_size(text: str) -> None:
    with pytest.raises(Problem, match=rf"^The event id has {len(text)} characters") as refused:
        read_id(text, "event")
    assert refused.value.status == 400


class Log(EventLog):
    """One of so many partitions."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions

    def partition_of(self, topic: str, key_hash: int) -> int:
        return key_hash % self._partitions


@given(
    st.integers(1, 5000), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
)
def test_an_id_is_a_uuid_of_version_7_that_names_the_partition_of_its_record(
    partitions: int, entity_id: str
) -> None:
    draft = decode_draft(json.dumps(an_event(entity_id=entity_id)).encode())
    began_ms = time.time_ns() // 1_000_000
    text, representation, record = make(Log(partitions), "acme", draft, None, 1_000_000)
    made = read_id(text, "event")
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert partition_of(made) == record.key_hash % partitions % 4096
    assert began_ms <= (made_at_ms(made) or 0) == record.timestamp_ms
    assert json.loads(representation)["id"] == text
    assert record == encode(
        "acme", decode_event(representation), record.timestamp_ms, representation
    )
    named, _, _ = make(Log(partitions), "acme", draft, b"key", 1_000_000)
    assert partition_of(uuid.UUID(named)) is None


def test_ids_of_one_process_are_all_different_and_in_the_order_of_their_making() -> None:
    draft = decode_draft(json.dumps(an_event()).encode())
    ids = [make(Log(6), "acme", draft, None, 1_000_000)[0] for _ in range(20_000)]
    assert ids == sorted(set(ids))


def test_the_longest_names_of_one_lookup_fit_one_query() -> None:
    tenant, database = "t" * 64, "d" * 64
    names = [(tenant, uuid.UUID(int=number)) for number in range(NAMES_MAX)]
    assert len(select_events(database, names)) < 256 * 1024  # ClickHouse's max_query_size
    with pytest.raises(ValidationError):
        QuerySettings(lookup_ids_max=NAMES_MAX + 1)
