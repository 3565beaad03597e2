"""What a pattern's wildcards may cost, as a score: event-ruler's `evaluateComplexity`.

It is the most places, over all wildcards of one field, that reading some text may keep open at once:
`a*` 2, `*a*b*c*d*` 6, `*a*a*a*a*a*a*a*a*a*` 19. EventBridge has such a limit too and does not say which.
"""

from collections.abc import Iterable

from contracts.filters.predicates import AnythingBut, Predicate, Wildcard

SCORE_MAX = 10
COUNTED_MAX = 100
"""Counting ends here."""
STEPS_MAX = 200_000
"""Places that are read for all fields of one filter: a text of tens of kB could ask for billions."""

OTHER = ""
"""Any character that is in no wildcard of the field."""

Place = tuple[int, int]
"""A wildcard by number, and how many of its tokens have been read."""


class Steps:
    """What is left of `STEPS_MAX` for one filter."""

    def __init__(self) -> None:
        self._left = STEPS_MAX

    def take(self, count: int) -> bool:
        """Whether there were so many left."""
        self._left -= count
        return self._left >= 0


def score(predicates: Iterable[Predicate], steps: Steps | None = None) -> int | None:
    """The score of one field's predicates; 0 without wildcards, COUNTED_MAX when it is that or more.

    None when the steps do not suffice to tell.
    """
    wildcards = [_tokens(each) for each in _wildcards(predicates)]
    return _Automaton(wildcards).widest(steps or Steps()) if wildcards else 0


def bound(predicates: Iterable[Predicate]) -> int:
    """What the score cannot exceed: all places there are."""
    return sum(len(_tokens(each)) for each in _wildcards(predicates))


def _wildcards(predicates: Iterable[Predicate]) -> Iterable[Wildcard]:
    for predicate in predicates:
        if isinstance(predicate, Wildcard):
            yield predicate
        elif isinstance(predicate, AnythingBut):
            yield from _wildcards(predicate.predicates)


def _tokens(wildcard: Wildcard) -> list[str | None]:
    """Characters, and None for each star."""
    tokens: list[str | None] = []
    for number, piece in enumerate(wildcard.pieces):
        tokens += [None] * (number > 0) + list(piece)
    return tokens


class _Automaton:
    """Reads all wildcards at once; a place is after a token, a star's place stays."""

    def __init__(self, wildcards: list[list[str | None]]) -> None:
        self._wildcards = wildcards

    def widest(self, steps: Steps) -> int | None:
        """The size of the largest set of places that some text leads to; None without steps left."""
        start = frozenset((number, 0) for number in range(len(self._wildcards)))
        seen, waiting, widest = {start}, [start], 1
        while waiting:
            places = waiting.pop()
            characters = self._read_next(places)
            if not steps.take(len(places) * len(characters)):
                return None
            for character in characters:
                reached = self._read(places, character)
                widest = max(widest, len(reached))
                if widest >= COUNTED_MAX:
                    return COUNTED_MAX
                if reached not in seen:
                    seen.add(reached)
                    waiting.append(reached)
        return widest

    def _read_next(self, places: frozenset[Place]) -> set[str]:
        """The characters that one of the places waits for; to it all others are alike."""
        found = {OTHER}
        for number, at in places:
            found.update(each for each in self._wildcards[number][at : at + 2] if each)
        return found

    def _read(self, places: frozenset[Place], character: str) -> frozenset[Place]:
        reached = set()
        for number, at in places:
            tokens = self._wildcards[number]
            if at and tokens[at - 1] is None:
                reached.add((number, at))
            step = at
            if (
                step < len(tokens) and tokens[step] is None
            ):  # the star takes this character, or none
                reached.add((number, step + 1))
                step += 1
            if step < len(tokens) and tokens[step] == character:
                reached.add((number, step + 1))
                if step + 1 < len(tokens) and tokens[step + 1] is None:
                    reached.add((number, step + 2))
        return frozenset(reached)
