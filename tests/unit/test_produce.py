"""Our Produce request and aiokafka's are the same bytes, and its answers are read alike."""

from io import BytesIO
from typing import Any

import pytest
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import ResponseHeader_v0
from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v7
from hypothesis import given
from hypothesis import strategies as st

from contracts.recordbatch import EncodedBatch
from service.produce import Ack, Acks, Produce

NAMES = st.text("abc.-", min_size=1, max_size=20)
NUMBERS = st.integers(0, 2**31 - 1)
LONGS = st.integers(-1, 2**63 - 1)
ERRORS = st.integers(-1, 130)


BATCHES = st.lists(st.tuples(NUMBERS, st.tuples(st.binary(max_size=5), st.binary(max_size=50))))


def sent(request: Any, correlation_id: int, client: str) -> bytes:
    """What aiokafka's connection writes, after its length."""
    return bytes(request.build_request_header(correlation_id, client).encode() + request.encode())


@given(st.dictionaries(NAMES, BATCHES), NUMBERS, NUMBERS, st.text(max_size=20))
def test_the_request_is_what_aiokafka_encodes(
    topics: dict[str, list[tuple[int, EncodedBatch]]], timeout_ms: int, number: int, client: str
) -> None:
    ours = Produce(topics.items(), timeout_ms).prepare({0: (3, 11)})
    whole = [(t, [(n, b"".join(parts)) for n, parts in batches]) for t, batches in topics.items()]
    theirs = ProduceRequest_v7(None, -1, timeout_ms, whole)
    assert sent(ours, number, client) == sent(theirs, number, client)
    answer = BytesIO(ResponseHeader_v0(number).encode() + b"more")
    assert ours.parse_response_header(answer).correlation_id == number
    assert answer.read() == b"more"


@given(
    st.dictionaries(NAMES, st.lists(st.tuples(NUMBERS, ERRORS, LONGS, LONGS, LONGS))),
    NUMBERS,
)
def test_an_answer_is_read_as_aiokafka_encodes_it(
    topics: dict[str, list[tuple[int, int, int, int, int]]], throttle_ms: int
) -> None:
    answer = ProduceResponse_v7(list(topics.items()), throttle_ms).encode()
    assert Acks.decode(BytesIO(answer)).acks == [
        Ack(topic, partition, error, offset)
        for topic, partitions in topics.items()
        for partition, error, offset, _, _ in partitions
    ]


def test_a_broker_that_is_too_old_is_named() -> None:
    with pytest.raises(IncompatibleBrokerVersion, match=r"Kafka 2\.1"):
        Produce([], 0).prepare({0: (0, 5)})
