"""In which order a conjunction's clauses are looked up, and what is verified after each.

The clause that the fewest events satisfy comes first, as far as its operators tell. A negative one
(anything-but, exists false) is never looked up: nearly every event satisfies it.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from contracts.filters.keys import Shape, is_lossy, keys_of
from contracts.filters.naive import hold_together
from contracts.filters.predicates import Exact
from contracts.filters.tree import CLOSED, DOCUMENTS, EVENT, Clause, Conjunction, Field, Filter
from contracts.filters.view import View

Check = Callable[[View], bool]

KEYS_MAX = 8
"""Of a clause that is looked up below another: each key repeats what is left."""


class Lookup(NamedTuple):
    """One clause as the index files it: under each of `keys` of its field."""

    field: Field
    keys: tuple[tuple[Shape, Any], ...]
    is_exact: bool


class Plan:
    """What is left to know about a conjunction: `todo` in the order of looking up, and `more`.

    `more` is only verified: negative clauses, and what a lossy lookup left open.
    """

    __slots__ = ("checks", "more", "todo")

    def __init__(self, todo: tuple[Clause, ...], more: tuple[Clause, ...]) -> None:
        self.todo = todo
        self.more = more
        self.checks = checks_of(todo + more)

    @property
    def key(self) -> tuple[Clause, ...]:
        """Equal for plans that leave the same to verify."""
        return self.todo + self.more

    def lookup(self, keys_max: int | None = KEYS_MAX) -> tuple[Lookup, "Plan"] | None:
        """The next clause, and the plan after it; None when the rest can only be verified."""
        for number, clause in enumerate(self.todo):
            lookup = lookup_of(clause)
            if keys_max is None or len(lookup.keys) <= keys_max:
                todo = self.todo[:number] + self.todo[number + 1 :]
                kept = () if lookup.is_exact and not self._is_shared(clause) else (clause,)
                return lookup, Plan(todo, self.more + kept)
        return None

    def _is_shared(self, clause: Clause) -> bool:
        """Whether others of the same document have to hold for the same elements of its arrays."""
        part = clause.field.part
        return part in DOCUMENTS and sum(each.field.part == part for each in self.key) > 1


def plans_of(filter_: Filter) -> tuple[Plan, ...]:
    """A plan for each conjunction that some event can satisfy."""
    return tuple(plan for each in filter_.conjunctions if (plan := _plan(each)) is not None)


def _plan(conjunction: Conjunction) -> Plan | None:
    clauses = []
    for clause in conjunction:
        if clause.field.part != EVENT or clause.field.name not in CLOSED:
            clauses.append(clause)
            continue
        values = CLOSED[clause.field.name]
        accepted = [value for value in values if clause.accepts(value)]
        if not accepted:
            return None
        if len(accepted) < len(values):  # else it says nothing
            clauses.append(Clause(clause.field, tuple(Exact(value) for value in accepted)))
    ranked = sorted((rank, n) for n, each in enumerate(clauses) if (rank := _rank(each)) is not None)
    todo = tuple(clauses[n] for _, n in ranked)
    return Plan(todo, tuple(each for each in clauses if each not in todo))


def _rank(clause: Clause) -> tuple[int, int] | None:
    """Lower for what fewer events satisfy; None for what is not looked up."""
    if any(keys_of(each) is None for each in clause.predicates):
        return None
    keys = lookup_of(clause).keys
    if clause.field.part == EVENT and clause.field.name in CLOSED:
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
    return max(1, 5 - size) if size else 8


@lru_cache(maxsize=10_000)
def lookup_of(clause: Clause) -> Lookup:
    """How the index files a clause that has keys."""
    keys = [key for each in clause.predicates for key in keys_of(each) or ()]
    return Lookup(clause.field, tuple(dict.fromkeys(keys)), not any(is_lossy(s) for s, _ in keys))


def checks_of(clauses: Iterable[Clause]) -> tuple[Check, ...]:
    """The functions that verify `clauses`, those of one document together, the cheap ones first."""
    checks = []
    by_part: dict[str, list[Clause]] = {}
    for clause in clauses:
        if clause.field.part in DOCUMENTS:
            by_part.setdefault(clause.field.part, []).append(clause)
        else:
            checks.append(_check(clause))
    return (*checks, *(_together(tuple(each)) for each in by_part.values()))


@lru_cache(maxsize=10_000)
def _check(clause: Clause) -> Check:
    if clause.field.part == EVENT:
        get = attrgetter(path_of(clause.field.name))
        if lookup_of(clause).is_exact and all(isinstance(each, Exact) for each in clause.predicates):
            values = frozenset(key for _, key in lookup_of(clause).keys)
            return lambda view: get(view.event) in values
        return lambda view: clause.accepts(get(view.event))
    return lambda view: clause.accepts(view.value(clause.field))


@lru_cache(maxsize=10_000)
def _together(clauses: tuple[Clause, ...]) -> Check:
    return lambda view: hold_together(clauses, view)


def path_of(name: str) -> str:
    """Where `codec.EventJson` has the field."""
    return "event_payload.operation" if name == "operation" else name
