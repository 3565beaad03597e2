"""Which body came first under an Idempotency-Key: of two different ones the first in the log wins.

A client that sends another body under a key that it has used would be told 201 and never find its
event, so it is told 422 (draft-ietf-httpapi-idempotency-key-header, section 2.7). This process knows
only what it was sent itself, and not for ever: what it does not know, the log decides all the same.
"""

from contracts.problems import Problem

BODIES_MAX = 50_000
"""Bodies that are remembered, the latest: a quarter of a KiB each."""


class FirstBodies:
    """A hash of the body by derived id."""

    def __init__(self, bodies_max: int = BODIES_MAX) -> None:
        self._bodies_max = bodies_max
        self._hashes: dict[str, int] = {}

    def check(self, event_id: str, representation: bytes) -> None:
        """Remember the first `representation` of the event. Raises `Problem` 422 for another one."""
        hashed = hash(representation)
        first = self._hashes.setdefault(event_id, hashed)
        if first != hashed:
            raise Problem(
                422,
                "This Idempotency-Key was used for another event of this entity: the first one"
                " counts, this one was not stored. Use a new key.",
                extra={"id": event_id},
            )
        if len(self._hashes) > self._bodies_max:
            del self._hashes[next(iter(self._hashes))]

    def forget(self, event_id: str) -> None:
        """Nothing was stored of it."""
        self._hashes.pop(event_id, None)
