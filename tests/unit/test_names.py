"""The filter of derived ids never forgets one, and seldom takes one for another."""

import random
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import derived_id
from processors.materialize.names import IDS_OF_A_WORD, WORDS_MAX, WORDS_MIN, NamesFilter, words_for

FULL = IDS_OF_A_WORD * WORDS_MIN
ids = st.uuids(version=4).map(str) | st.builds(
    derived_id, st.just("acme"), st.binary(min_size=1, max_size=9), st.integers(0, 9), st.text()
)


def ids_of(seed: int, count: int) -> list[str]:
    """Different derived ids, the same for a seed."""
    chosen = random.Random(seed)
    return [str(uuid.UUID(bytes=chosen.randbytes(16), version=4)) for _ in range(count)]


@given(st.lists(ids))
def test_what_was_added_it_may_hold(added: list[str]) -> None:
    names = NamesFilter()
    assert not any(map(names.may_hold, added))
    for number, event_id in enumerate(added):
        names.add(event_id)
        assert all(map(names.may_hold, added[: number + 1]))


@pytest.mark.parametrize(("load", "at_most"), [(0.5, 0.04), (1, 0.1)])
def test_at_the_load_that_it_is_made_for_few_others_are_maybes(load: float, at_most: float) -> None:
    names = NamesFilter()
    names.add_all(ids_of(1, round(FULL * load)))
    assert not names.crowded
    wrong = sum(map(names.may_hold, ids_of(2, 20_000)))
    assert 0 < wrong / 20_000 < at_most


def test_it_is_crowded_when_more_than_that_were_added() -> None:
    names = NamesFilter()
    for start in range(2):
        assert not names.crowded
        for event_id in ids_of(start, FULL):
            names.add(event_id)
            names.add(event_id)  # counts once
    assert names.crowded


def test_the_largest_is_never_crowded_as_none_larger_is_made() -> None:
    names = NamesFilter(bytes(8 * WORDS_MAX))
    names._added = 2**62
    assert not names.crowded


@given(st.integers(0, 2**40))
def test_its_words_are_a_power_of_two_with_room_for_as_many_again(count: int) -> None:
    words = words_for(count)
    assert words.bit_count() == 1
    assert WORDS_MIN <= words <= WORDS_MAX
    assert words == WORDS_MAX or 2 * count <= words * IDS_OF_A_WORD
    assert words == WORDS_MIN or 4 * count >= words * IDS_OF_A_WORD
