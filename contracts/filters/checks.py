"""What verifies a plan's clauses once it was found, in few objects: each is fetched from memory."""

from collections.abc import Callable, Hashable, Iterable
from functools import lru_cache
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from contracts.filters.naive import hold_together
from contracts.filters.predicates import Exact, Predicate
from contracts.filters.tree import CLOSED, DOCUMENTS, EVENT, Clause, Field
from contracts.filters.values import MISSING, Value
from contracts.filters.view import View


class Acceptor(Protocol):
    """A predicate, a clause, or what does the same faster."""

    def accepts(self, value: Any, /) -> bool:
        """Whether the value, or the whole event for the clauses of a document, is one of those."""


Checks = tuple[Any, ...]
"""In turn how to get a value from a view, and the acceptor of it; flat, for few objects."""

T = TypeVar("T", bound=Hashable)


def holds(checks: Checks, view: View) -> bool:
    """Whether the event passes every check."""
    each = iter(checks)
    for get, acceptor in zip(each, each, strict=False):  # noqa: SIM110 - all() costs twice as much
        if not acceptor.accepts(get(view)):
            return False
    return True


def checks_of(clauses: Iterable[Clause]) -> Checks:
    """What verifies `clauses`, those of one document together; closed fields are in `barred`."""
    checks: list[Any] = []
    by_part: dict[str, list[Clause]] = {}
    for clause in clauses:
        if clause.field.part in DOCUMENTS:
            by_part.setdefault(clause.field.part, []).append(clause)
        elif not is_closed(clause.field):
            checks += (getter(clause.field), _acceptor(clause))
    for each in by_part.values():
        checks += (_itself, Together(tuple(each)))
    return tuple(checks)


def _acceptor(clause: Clause) -> Acceptor:
    """The fewest objects, for in a large index each has to be fetched from memory."""
    if len(clause.predicates) == 1:
        predicate: Predicate = shared(clause.predicates[0])
        return predicate
    if all(isinstance(each, Exact) for each in clause.predicates):
        return OneOf(clause)
    return clause


@lru_cache(maxsize=10_000)
def shared(value: T) -> T:
    """The one of equal values that is in the caches of the processor already."""
    return value


class OneOf:
    """Many exact values of a field."""

    __slots__ = ("_values",)

    def __init__(self, clause: Clause) -> None:
        self._values = frozenset(each.value for each in clause.predicates if type(each) is Exact)

    def accepts(self, value: Value) -> bool:
        """As the clause."""
        return value in self._values


class Together:
    """The clauses of one document."""

    __slots__ = ("_clauses",)

    def __init__(self, clauses: tuple[Clause, ...]) -> None:
        self._clauses = clauses

    def accepts(self, view: View) -> bool:
        """As the naive evaluator."""
        return hold_together(self._clauses, view)


def _itself(view: View) -> View:
    return view


@lru_cache(maxsize=10_000)
def getter(field: Field) -> Callable[[View], Value]:
    """From an event to the value of a field that has one."""
    if field.part == EVENT:
        return attrgetter(f"event.{path_of(field.name)}")
    name = field.name
    return lambda view: view.event.event_payload.key_attributes.get(name, MISSING)  # type: ignore[union-attr]


def path_of(name: str) -> str:
    """Where `codec.EventJson` has the field."""
    return "event_payload.operation" if name == "operation" else name


def is_closed(field: Field) -> bool:
    """Whether the field has one of few values."""
    return field.part == EVENT and field.name in CLOSED
