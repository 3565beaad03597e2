"""A filter and one event: whether it matches, and which clauses do not hold. The specification.

Values of one document that different clauses take must lie in the same elements of the arrays that
they share, as in event-ruler.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from contracts.filters.spelled import CHARACTERS_MAX, VALUES_MAX, spelled
from contracts.filters.tree import DOCUMENTS, Clause, Conjunction, Filter
from contracts.filters.values import MISSING
from contracts.filters.view import Place, View, json_of

WAYS_MAX = 1000


def matches(filter_: Filter, view: View) -> bool:
    """Whether the filter accepts the event."""
    return any(holds(conjunction, view) for conjunction in filter_.conjunctions)


def holds(conjunction: Conjunction, view: View) -> bool:
    """Whether every clause holds, and inside a document all of them together."""
    by_part: dict[str, list[Clause]] = {}
    for clause in conjunction:
        if clause.field.part in DOCUMENTS:
            by_part.setdefault(clause.field.part, []).append(clause)
        elif not clause.accepts(view.value(clause.field)):
            return False
    return all(hold_together(clauses, view) for clauses in by_part.values())


class TooManyWays(Exception):
    """Names that come twice in a document leave too many ways to choose its arrays."""


def hold_together(clauses: Sequence[Clause], view: View) -> bool:
    """Whether the clauses of one document hold for values from the same elements of arrays."""
    places = []
    for clause in clauses:
        found = view.document(clause.field.part).get(clause.field.name, ())
        if not found and clause.wants_absence:
            continue
        accepted = {each.place for each in found if clause.accepts(each.value)}
        if not accepted:
            return False
        places.append(accepted)
    return len(places) < 2 or _agree(places)


def _agree(places: list[set[Place]]) -> bool:
    """Whether one place of each set can be chosen, none in another element of the same array."""
    bound = [each for each in places if () not in each]
    arrays = [sorted({place[0][0] for place in each}) for each in bound]
    if math.prod(map(len, arrays)) > WAYS_MAX:
        raise TooManyWays(f"more than {WAYS_MAX} ways to choose among arrays of one name")
    for way in itertools.product(*arrays):  # one way, unless a name comes twice
        inside: defaultdict[int, list[set[Place]]] = defaultdict(list)
        for array, each in zip(way, bound, strict=True):
            inside[array].append(each)
        if all(_agree_in(array, chosen) for array, chosen in inside.items()):
            return True
    return False


def _agree_in(array: int, places: list[set[Place]]) -> bool:
    """The same, in one element of `array`."""
    by_index: defaultdict[int, dict[int, set[Place]]] = defaultdict(dict)
    for number, each in enumerate(places):
        for (outer, index), *inner in each:
            if outer == array:
                by_index[index].setdefault(number, set()).add(tuple(inner))
    return any(
        len(inner) == len(places) and _agree(list(inner.values())) for inner in by_index.values()
    )


class Unmet(NamedTuple):
    """A clause that does not hold: its field, what the pattern wants, and what the event has there.

    `wanted` are the first of `wanted_of` values and operators. `size` is in characters for a text, else
    None; `shown` the first value shortened, None when missing; `others` how many there are beside it.
    `apart`: it holds by itself, and not in the same elements of arrays as the others.
    """

    field: str
    wanted: tuple[Any, ...]
    wanted_of: int
    present: bool
    size: int | None
    shown: Any
    others: int
    apart: bool


def explain(filter_: Filter, view: View) -> list[list[Unmet]]:
    """For each alternative of the filter its clauses that do not hold; empty when it matches.

    An alternative without one fails because its values lie in different elements of an array: then
    all clauses of that document are named, as `apart`.
    """
    if matches(filter_, view):
        return []
    return [_unmet(conjunction, view) for conjunction in filter_.conjunctions]


def _unmet(conjunction: Conjunction, view: View) -> list[Unmet]:
    failing = [clause for clause in conjunction if not holds((clause,), view)]
    if failing:
        return [_describe(clause, view, apart=False) for clause in failing]
    apart = [clause for clause in conjunction if clause.field.part in DOCUMENTS]
    return [_describe(clause, view, apart=True) for clause in apart]


def _describe(clause: Clause, view: View, *, apart: bool) -> Unmet:
    wanted = tuple(spelled(each) for each in clause.predicates[:VALUES_MAX])
    known = (str(clause.field), wanted, len(clause.predicates))
    values = [each for each in view.values(clause.field) if each is not MISSING]
    if apart:  # those that it accepts
        values = [each for each in values if clause.accepts(each)] or values
    if not values:
        return Unmet(*known, False, None, None, 0, apart)
    value, others = values[0], len(values) - 1
    if not isinstance(value, str):
        return Unmet(*known, True, None, json_of(value), others, apart)
    return Unmet(*known, True, len(value), value[:CHARACTERS_MAX], others, apart)
