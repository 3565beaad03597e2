"""A place: from where a subscription is to be served again in a partition of `events`, as Kafka keeps it.

An event stays on `events`, so what a queue did not take needs no copy: it is enough to know from
which offset its subscription is to be served again, and which single ones before it are left. A record
of `deliveries.retry` (compacted) has the key tenant:subscription:partition; its value is the first
offset that may be missing, or none once all has caught up. Its headers: `next`, the offset from which
nothing was handled, `stragglers`, those before it that are left, with the attempts made, and `since`,
when the place fell behind, `failing`, since when nothing is taken, `told`, of which failure people were
told: in ms since 1970, the last two only where there is one. Who is stopped has a place in each
partition: `stops.py`, whose are `started` and `skip`. One that has caught up is `done`, up to `next`.

Whoever gets a partition claims it before it reads: `claim/partition`, with a name of its own that is `by` of
all that it writes. Kafka fences commits, not records: one that was frozen, or cut off from its group, may
write after another has the partition. Such a record stands behind the other's claim and is by somebody else.
What it says to have done is done; that nothing is left it cannot know.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from contracts.encoding.recordbatch import encode_headers
from processors.consume.step import LogRecord
from processors.deliver.lane import Key

STRAGGLERS_MAX = 100
CLAIM = "claim/"
UNKNOWN = "?"
"""Instead of the start that a place has taken notice of."""


class Place(NamedTuple):
    """A subscription in one partition of `events`."""

    tenant: str
    subscription_id: str
    partition: int

    @property
    def key(self) -> bytes:
        """The key of its record."""
        return ":".join(map(str, self)).encode()

    @property
    def lane(self) -> Key:
        """Tenant and subscription."""
        return self[:2]


class Behind(NamedTuple):
    """Everything before `next_offset` is settled but for the `stragglers`: attempts by offset.

    `failing_ms` and `told_ms` are those of its lane, 0 for none. `started` is the start of its subscription
    that it has taken notice of; before `skip_to` it was told then to cancel everything.
    """

    next_offset: int
    stragglers: Mapping[int, int]
    since_ms: int = 0
    failing_ms: int = 0
    told_ms: int = 0
    started: str = ""
    skip_to: int = 0

    @property
    def first(self) -> int:
        """The first offset that is not settled."""
        return min(self.stragglers, default=self.next_offset)


def behind(
    left: Iterable[int], end: int, attempts: Mapping[int, int], failure: tuple[int, int] = (0, 0)
) -> Behind:
    """What is left, in order, of everything before `end`; the first few as stragglers.

    `failure` is the lane's.
    """
    offsets = [*left]
    stragglers = {each: attempts.get(each, 0) for each in offsets[:STRAGGLERS_MAX]}
    return Behind(min([*offsets[STRAGGLERS_MAX:], end]), stragglers, 0, *failure)


def written(state: Behind, by: str = "", *, done: bool = False) -> tuple[bytes, bytes]:
    """Value and headers of its record."""
    stragglers = ",".join(f"{offset}:{attempts}" for offset, attempts in state.stragglers.items())
    headers = {"since": str(state.since_ms), "next": str(state.next_offset)}
    headers |= {"stragglers": stragglers} if stragglers else {}
    headers |= {"failing": str(state.failing_ms)} if state.failing_ms else {}
    headers |= {"told": str(state.told_ms)} if state.told_ms else {}
    headers |= {"started": state.started} if state.started else {}
    headers |= {"skip": str(state.skip_to)} if state.skip_to else {}
    headers |= {"by": by} if by else {}
    headers |= {"done": "true"} if done else {}
    pairs = [(name, text.encode()) for name, text in headers.items()]
    return str(state.first).encode(), encode_headers(pairs)


class Read(NamedTuple):
    """A record: of whom, `by` whom, and whether it is `done`; no state in one that deletes it."""

    place: Place
    state: Behind | None
    by: str
    done: bool


def read_place(record: LogRecord) -> Read:
    """A record of the topic that is no claim. Raises `ValueError`.

    Earlier releases wrote no stragglers, and the first no time: then it is the record's. One that had caught
    up they deleted.
    """
    tenant, subscription_id, partition = (record.key or b"").decode().rsplit(":", 2)
    place = Place(tenant, subscription_id, int(partition))
    told = {name: text.decode() for name, text in record.headers if text is not None}
    if record.value is None:
        return Read(place, None, told.get("by", ""), done=True)
    pairs = (each.split(":") for each in told.get("stragglers", "").split(",") if each)
    state = Behind(
        int(told.get("next", record.value)),
        {int(offset): int(attempts) for offset, attempts in pairs},
        int(told.get("since", record.timestamp)),
        int(told.get("failing", 0)),
        int(told.get("told", 0)),
        told.get("started", ""),
        int(told.get("skip", 0)),
    )
    return Read(place, state, told.get("by", ""), "done" in told)


class Told:
    """Who is behind, as the records of the topic leave it in their order."""

    def __init__(self) -> None:
        self.places: dict[Place, Behind] = {}
        self._owners: dict[int, str] = {}

    def apply(self, record: LogRecord) -> None:
        """Take the next one. Raises `ValueError`."""
        key = (record.key or b"").decode()
        if key.startswith(CLAIM):
            self._owners[int(key.removeprefix(CLAIM))] = (record.value or b"").decode()
            return
        place, state, by, done = read_place(record)
        is_stale = self._owners.get(place.partition, by) != by
        if state is not None and is_stale:
            self.places[place] = state._replace(started=UNKNOWN)
        elif state is None or done:
            self.places.pop(place, None)
        else:
            self.places[place] = state
