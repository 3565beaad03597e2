"""Our Produce request and aiokafka's are the same bytes, and its answers are read alike."""

from aiokafka.protocol.api import ResponseHeader_v0
from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v7
from hypothesis import given
from hypothesis import strategies as st

from contracts.encoding.recordbatch import EncodedBatch
from service.kafka.produce import Ack, decode_acks, encode_produce

NAMES = st.text("abc.-", min_size=1, max_size=20)
NUMBERS = st.integers(0, 2**31 - 1)
LONGS = st.integers(-1, 2**63 - 1)
ERRORS = st.integers(-1, 130)


BATCHES = st.lists(st.tuples(NUMBERS, st.tuples(st.binary(max_size=5), st.binary(max_size=50))))


@given(st.dictionaries(NAMES, BATCHES), NUMBERS, NUMBERS, st.text(max_size=20))
def test_the_request_is_what_aiokafka_encodes(
    topics: dict[str, list[tuple[int, EncodedBatch]]], timeout_ms: int, number: int, client: str
) -> None:
    whole = [(t, [(n, b"".join(parts)) for n, parts in batches]) for t, batches in topics.items()]
    theirs = ProduceRequest_v7(None, -1, timeout_ms, whole)
    message = theirs.build_request_header(number, client).encode() + theirs.encode()
    ours = encode_produce(number, client.encode(), topics, timeout_ms)
    assert ours == len(message).to_bytes(4) + message


@given(
    st.dictionaries(
        NAMES,
        st.lists(
            st.tuples(NUMBERS, ERRORS, LONGS, LONGS, LONGS),
            unique_by=lambda partition: partition[0],
        ),
    ),
    NUMBERS,
    NUMBERS,
)
def test_an_answer_is_read_as_aiokafka_encodes_it(
    topics: dict[str, list[tuple[int, int, int, int, int]]], number: int, throttle_ms: int
) -> None:
    answer = ProduceResponse_v7(list(topics.items()), throttle_ms).encode()
    assert decode_acks(ResponseHeader_v0(number).encode() + answer) == (
        number,
        {
            (topic, partition): Ack(error, offset)
            for topic, partitions in topics.items()
            for partition, error, offset, _, _ in partitions
        },
    )
