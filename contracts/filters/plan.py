"""In which order a conjunction's clauses are looked up, and what is verified after each.

The clause that the fewest events satisfy comes first, as far as its operators tell. A negative one
(anything-but, exists false) is never looked up: nearly every event satisfies it.
"""

from functools import lru_cache
from typing import Any, NamedTuple

from contracts.encoding.codec import EventJson
from contracts.filters.checks import checks_of, is_closed, shared
from contracts.filters.keys import Shape, is_lossy, keys_of
from contracts.filters.predicates import Exact
from contracts.filters.tree import CLOSED, DOCUMENTS, Clause, Conjunction, Field, Filter

KEYS_MAX = 8
"""Of a clause that is looked up below another: each key repeats what is left."""


class Lookup(NamedTuple):
    """One clause as the index files it: under each of `keys` of its field."""

    field: Field
    keys: tuple[tuple[Shape, Any], ...]
    is_exact: bool


class Plan:
    """What is left to know about a conjunction: `todo` in the order of looking up, and `more`.

    `more` is only verified: negative clauses, and what a lossy lookup left open. `barred` are the
    bits of the values that no closed field may have (`bits_of`): one operation refuses most events.
    """

    __slots__ = ("barred", "checks", "more", "todo")

    def __init__(self, todo: tuple[Clause, ...], more: tuple[Clause, ...], barred: int) -> None:
        self.todo = todo
        self.more = more
        self.barred = shared(barred)
        self.checks = checks_of(todo + more)

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for plans that leave the same to verify."""
        return (self.barred, *self.todo, *self.more)

    def lookup(self, keys_max: int | None = KEYS_MAX) -> tuple[Lookup, "Plan"] | None:
        """The next clause, and the plan after it; None when the rest can only be verified."""
        for number, clause in enumerate(self.todo):
            lookup = lookup_of(clause)
            if keys_max is None or len(lookup.keys) <= keys_max:
                todo = self.todo[:number] + self.todo[number + 1 :]
                kept = () if lookup.is_exact and not self._is_shared(clause) else (clause,)
                return lookup, Plan(todo, self.more + kept, self.barred)
        return None

    def _is_shared(self, clause: Clause) -> bool:
        """Whether others of the same document have to hold for the same elements of its arrays."""
        part = clause.field.part
        return part in DOCUMENTS and sum(c.field.part == part for c in self.todo + self.more) > 1


def plans_of(filter_: Filter) -> tuple[Plan, ...]:
    """A plan for each conjunction that some event can satisfy."""
    return tuple(plan for each in filter_.conjunctions if (plan := _plan(each)) is not None)


def _plan(conjunction: Conjunction) -> Plan | None:
    clauses, barred = [], 0
    for clause in conjunction:
        if not is_closed(clause.field):
            clauses.append(clause)
            continue
        exact = _of_closed(clause)
        if not exact.predicates:
            return None
        if len(exact.predicates) < len(CLOSED[clause.field.name]):  # else it says nothing
            clauses.append(exact)
            barred |= _barred(exact)
    ranked = sorted(
        (rank, n) for n, each in enumerate(clauses) if (rank := _rank(each)) is not None
    )
    todo = tuple(clauses[n] for _, n in ranked)
    return Plan(todo, tuple(each for each in clauses if each not in todo), barred)


@lru_cache(maxsize=1_000)
def _of_closed(clause: Clause) -> Clause:
    """The clause by the values that it accepts."""
    accepted = filter(clause.accepts, CLOSED[clause.field.name])
    return Clause(clause.field, tuple(Exact(value) for value in accepted))


BITS = {
    (name, value): 1 << number
    for number, (name, value) in enumerate(
        (name, value) for name, values in CLOSED.items() for value in values
    )
}


@lru_cache(maxsize=1_000)
def _barred(clause: Clause) -> int:
    return sum(
        bit
        for (name, value), bit in BITS.items()
        if name == clause.field.name and not clause.accepts(value)
    )


_types, _sources, _operations = (
    {value: BITS[name, value] for value in CLOSED[name]}
    for name in ("event_type", "event_source", "operation")
)


def bits_of(event: EventJson) -> int:
    """The bits of the event's values; those of a new value, which no plan bars, are none."""
    return (
        _types.get(event.event_type, 0)
        | _sources.get(event.event_source, 0)
        | _operations.get(event.event_payload.operation, 0)
    )


def _rank(clause: Clause) -> tuple[int, int] | None:
    """Lower for what fewer events satisfy; None for what is not looked up."""
    if any(keys_of(each) is None for each in clause.predicates):
        return None
    keys = lookup_of(clause).keys
    if is_closed(clause.field):
        return 4, len(keys)
    return max(_rank_of(shape, key) for shape, key in keys), len(keys)


def _rank_of(shape: Shape, key: Any) -> int:
    kind, size = shape
    match kind:
        case "exact":
            return 0 if isinstance(key, str) else 5  # many have null, true or 1 in common
        case "number" | "fold":
            return 0
        case "cidr":
            return 1 if size & 0xFF > 8 else 5
        case "cell":
            return 3
        case "above" | "below":
            return 7
        case "present":
            return 8
        case "gram":
            return 2 if size > 2 else 6 - size // 2
    return max(1, 5 - size) if size else 8  # the longer the part of a text, the fewer have it


@lru_cache(maxsize=10_000)
def lookup_of(clause: Clause) -> Lookup:
    """How the index files a clause that has keys."""
    keys = [key for each in clause.predicates for key in keys_of(each) or ()]
    return Lookup(clause.field, tuple(dict.fromkeys(keys)), not any(is_lossy(s) for s, _ in keys))
