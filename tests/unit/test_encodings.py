"""Compressed bodies: what was put in comes out; bombs, stumps and rubbish are refused."""

import gzip
from collections.abc import Callable
from contextlib import nullcontext

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from contracts.problems import Problem
from service.http.request_bodies import decoder

LIMIT = 1_000_000
COMPRESS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.compress,
    b"zstd": zstandard.compress,
}


def decoded(body: bytes, encoding: bytes, limit_bytes: int, part_bytes: int = 65_536) -> bytes:
    """The body's content when it arrives in parts of this size."""
    decoding, content = decoder(encoding, limit_bytes), b""
    for start in range(0, len(body), part_bytes):
        content += b"".join(decoding.feed(body[start : start + part_bytes]))
    decoding.end()
    return content


encodings = pytest.mark.parametrize("encoding", COMPRESS)


@given(
    st.sampled_from(sorted(COMPRESS)),
    st.lists(st.binary() | st.integers(0, 600_000).map(bytes), min_size=1, max_size=4),
    st.integers(1, 50),
)
def test_members_and_frames_come_out_joined(
    encoding: bytes, parts: list[bytes], part_bytes: int
) -> None:
    body = b"".join(COMPRESS[encoding](part) for part in parts)
    assert decoded(body, encoding, 4 * LIMIT, part_bytes) == b"".join(parts)


@encodings
def test_a_bomb_is_stopped_at_the_limit(encoding: bytes) -> None:
    bomb = COMPRESS[encoding](bytes(200 * LIMIT))
    assert len(bomb) < LIMIT
    with pytest.raises(Problem) as caught:
        decoded(bomb, encoding, LIMIT)
    assert caught.value.status == 413
    assert caught.value.extra["limit"] == LIMIT
    assert LIMIT < caught.value.extra["size"] < 40 * LIMIT


@encodings
def test_the_limit_itself_is_taken(encoding: bytes) -> None:
    assert len(decoded(COMPRESS[encoding](bytes(LIMIT)), encoding, LIMIT)) == LIMIT


@encodings
@given(cut=st.integers(1, 30))
def test_a_body_that_is_cut_short_is_refused(encoding: bytes, cut: int) -> None:
    whole = COMPRESS[encoding](b'{"entity_id":"1"}\n' * 1000)
    with pytest.raises(Problem) as caught:
        decoded(whole[:-cut], encoding, LIMIT)
    assert caught.value.status == 400


@encodings
def test_rubbish_is_refused(encoding: bytes) -> None:
    with pytest.raises(Problem) as caught:
        decoded(b"rubbish, not compressed", encoding, LIMIT)
    assert caught.value.status == 400


@encodings
@pytest.mark.parametrize("tail", [b"x", bytes(20), b"rubbish" * 50])
@pytest.mark.parametrize("part_bytes", [1, 65_536])
def test_what_follows_a_body_is_called_by_its_name(
    encoding: bytes, tail: bytes, part_bytes: int
) -> None:
    with pytest.raises(Problem) as caught:
        decoded(COMPRESS[encoding](b"{}") + tail, encoding, LIMIT, part_bytes)
    assert caught.value.status == 400
    assert "1 something else follows" in caught.value.detail


@encodings
def test_members_and_frames_that_hold_nothing_are_counted(encoding: bytes) -> None:
    empty = COMPRESS[encoding](b"")
    assert decoded(empty * 10_000, encoding, LIMIT) == b""
    with pytest.raises(Problem) as caught:
        decoded(empty * 10_001, encoding, LIMIT)
    assert caught.value.status == 413
    assert (caught.value.extra["size"], caught.value.extra["limit"]) == (10_001, 10_000)


@encodings
def test_a_part_is_decoded_in_steps(encoding: bytes) -> None:
    """Else nobody else has a turn in between."""
    empty = COMPRESS[encoding](b"")
    part = empty * (200_000 // len(empty))
    steps = decoder(encoding, LIMIT).feed(part)
    with pytest.raises(Problem) if len(part) > 10_000 * len(empty) else nullcontext():
        assert sum(1 for _ in steps) >= len(part) // 4096


def test_a_zstd_frame_to_be_skipped_is_skipped() -> None:
    skipped = b"\x5a\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    body = zstandard.compress(b"a") + skipped + zstandard.compress(b"b")
    assert decoded(body, b"zstd", LIMIT) == b"ab"
    assert decoded(skipped + body, b"zstd", LIMIT, 1) == b"ab"


def test_an_encoding_that_is_not_taken_is_named() -> None:
    with pytest.raises(Problem) as caught:
        decoded(b"", b"br", LIMIT)
    assert caught.value.status == 415
    assert "'br'" in caught.value.detail
