"""What a pattern's wildcards may cost, as a score: event-ruler's `evaluateComplexity`.

It is the most places, over all wildcards of one field, that reading some text may keep open at once:
`a*` 2, `*a*b*c*d*` 6, `*a*a*a*a*a*a*a*a*a*` 19. EventBridge has such a limit too and does not say which.
"""

from collections.abc import Iterable

from contracts.filters.predicates import AnythingBut, Predicate, Wildcard

SCORE_MAX = 10
COUNTED_MAX = 100
"""Counting ends here, or when so many sets of places have been seen that more are not worth it."""
SETS_MAX = 2_000

OTHER = ""
"""Any character that is in no wildcard of the field."""

Place = tuple[int, int]
"""A wildcard by number, and how many of its tokens have been read."""


def score(predicates: Iterable[Predicate]) -> int:
    """The score of one field's predicates; 0 without wildcards, COUNTED_MAX when it is that or more."""
    wildcards = [_tokens(each) for each in _wildcards(predicates)]
    return _Automaton(wildcards).widest() if wildcards else 0


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
        self._alphabet = {each for tokens in wildcards for each in tokens if each} | {OTHER}

    def widest(self) -> int:
        """The size of the largest set of places that some text leads to."""
        start = frozenset((number, 0) for number in range(len(self._wildcards)))
        seen, waiting, widest = {start}, [start], 1
        while waiting:
            places = waiting.pop()
            for character in self._alphabet:
                reached = self._read(places, character)
                widest = max(widest, len(reached))
                if widest >= COUNTED_MAX or len(seen) > SETS_MAX:
                    return COUNTED_MAX
                if reached not in seen:
                    seen.add(reached)
                    waiting.append(reached)
        return widest

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
