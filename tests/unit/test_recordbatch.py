"""Our record batches and aiokafka's are the same bytes."""

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from contracts.recordbatch import (
    Record,
    encode_batch,
    encode_header,
    encode_headers,
    new_record,
)

Headers = list[tuple[str, bytes | None]]
Parts = tuple[bytes, bytes | None, Headers, int]

HEADERS = st.lists(st.tuples(st.text(max_size=12), st.none() | st.binary(max_size=40)), max_size=4)
RECORDS = st.lists(
    st.tuples(
        st.binary(max_size=40),
        st.none() | st.binary(max_size=300) | st.integers(8000, 20_000).map(bytes),
        HEADERS,
        st.integers(0, 2**42),
    ),
    min_size=1,
    max_size=20,
)


def encoded(records: list[Parts]) -> list[Record]:
    """Our records of the same parts."""
    return [
        new_record(key, value, encode_headers(headers), ms) for key, value, headers, ms in records
    ]


@given(RECORDS, st.integers(0, 2**40), st.integers(0, 2**15 - 1), st.integers(0, 2**31 - 1))
def test_a_batch_is_what_aiokafka_builds(
    records: list[Parts],
    producer_id: int,
    epoch: int,
    sequence: int,
) -> None:
    builder = DefaultRecordBatchBuilder(2, 0, 0, producer_id, epoch, sequence, 1 << 26)
    for number, (key, value, headers, timestamp_ms) in enumerate(records):
        assert builder.append(number, timestamp_ms, key, value, headers)
    ours = encoded(records)
    assert b"".join(encode_batch(ours, producer_id, epoch, sequence)) == bytes(builder.build())


@given(HEADERS, HEADERS)
def test_headers_may_be_encoded_in_parts(first: Headers, more: Headers) -> None:
    parts = [encode_headers(first, more=len(more)), *(encode_header(*each) for each in more)]
    assert b"".join(parts) == encode_headers([*first, *more])


@given(RECORDS)
def test_a_record_takes_no_more_than_it_says(
    records: list[Parts],
) -> None:
    ours = encoded(records)
    head_bytes = 61
    assert sum(map(len, encode_batch(ours, 1, 0, 0))) <= head_bytes + sum(
        each.size_bytes for each in ours
    )
