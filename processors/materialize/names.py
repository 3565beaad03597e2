"""Which derived ids the table may hold, in a few bits for each: it only saves asking the table.

A Bloom filter in blocks of one 64-bit word (Putze, Sanders, Singler: Cache-, Hash- and Space-Efficient
Bloom Filters, 2007): an id's lower half, which is random, names a word and four bits of it. A no is
certain, a maybe has to be looked up. ClickHouse makes it from the table's ids in one pass.
"""

from collections.abc import Iterable

from contracts.ids import IS_DERIVED

WORDS_MIN, WORDS_MAX = 2**16, 2**23
"""512 KiB to 64 MiB: a table that begins is not read again and again while it grows."""
IDS_OF_A_WORD = 4
"""With more of them a larger filter is worth its making."""
BITS_AT = (32, 38, 44, 50)
"""Where the lower half of an id has the numbers of its four bits; the word's number is below them."""

_BITS = ", ".join(
    f"bitShiftLeft(1::UInt64, bitAnd(bitShiftRight(low, {at}), 63))" for at in BITS_AT
)
WORDS = f"""
SELECT mask FROM (
    SELECT bitAnd(low, {{last}}) AS word, groupBitOr(arrayJoin([{_BITS}])) AS mask
    FROM (
        SELECT toUInt64(bitAnd(toUInt128(id), 0xFFFFFFFFFFFFFFFF)) AS low
        FROM (SELECT id FROM {{events}} UNION ALL SELECT id FROM {{erasures}})
        WHERE {IS_DERIVED})
    GROUP BY word ORDER BY word WITH FILL FROM 0 TO {{words}})
FORMAT RowBinary
"""  # noqa: S608 - constants alone


def words_for(ids: int) -> int:
    """How many words a filter for so many ids should have: a power of two."""
    wanted = 1 << (2 * ids // IDS_OF_A_WORD).bit_length()
    return min(max(wanted, WORDS_MIN), WORDS_MAX)


def select_words(events: str, erasures: str, words: int) -> str:
    """The query whose answer is a filter of so many words over the ids of these tables."""
    return WORDS.format(events=events, erasures=erasures, words=words, last=words - 1)


class NamesFilter:
    """Ids that have been added, and now and then one that has not."""

    def __init__(self, words: bytes = bytes(8 * WORDS_MIN)) -> None:
        """`words`: the answer to `select_words`."""
        self._words = memoryview(bytearray(words)).cast("Q")
        self._last = len(self._words) - 1
        self._added = 0

    @property
    def bytes(self) -> int:
        """Its size."""
        return self._words.nbytes

    @property
    def crowded(self) -> bool:
        """Whether so many were added that a new one should be made."""
        return self._added > IDS_OF_A_WORD * len(self._words) and len(self._words) < WORDS_MAX

    def may_hold(self, event_id: str) -> bool:
        """False when the id was not added, certainly."""
        low = int(event_id[19:23] + event_id[24:], 16)
        mask = _mask(low)
        return self._words[low & self._last] & mask == mask

    def add(self, event_id: str) -> bool:
        """The table will hold it, or may; any id may be added. Whether it may have been before."""
        low = int(event_id[19:23] + event_id[24:], 16)
        word, mask = low & self._last, _mask(low)
        before = self._words[word]
        if before & mask == mask:
            return True
        self._words[word] = before | mask
        self._added += 1
        return False

    def add_all(self, event_ids: Iterable[str]) -> None:
        """`add` each."""
        for event_id in event_ids:
            self.add(event_id)


def _mask(low: int) -> int:
    return (
        1 << (low >> 32 & 63)
        | 1 << (low >> 38 & 63)
        | 1 << (low >> 44 & 63)
        | 1 << (low >> 50 & 63)
    )
