"""Which body came first under an Idempotency-Key: of two different ones the first in the log wins.

A client that sends another body under a key that it has used would be told 201 and never find its
event, so it is told 422 (draft-ietf-httpapi-idempotency-key-header, section 2.7). This process knows
only what it was sent itself, and not for ever: what it does not know, the log decides all the same.
"""

from collections.abc import Iterable

from contracts.problems import key_used

BODIES_MAX = 50_000
"""Bodies that are remembered, the latest: a quarter of a KiB each."""


class FirstBodies:
    """A hash of the body by derived id."""

    def __init__(self, bodies_max: int = BODIES_MAX) -> None:
        self._bodies_max = bodies_max
        self._hashes: dict[str, int] = {}

    def check(self, event_id: str, representation: bytes) -> bool:
        """Remember the first `representation` of the event, and whether this is it, as far as is known.

        Raises `Problem` 422 for another one.
        """
        first, hashed = self._hashes.get(event_id), hash(representation)
        if first is None:
            if len(self._hashes) >= self._bodies_max:
                del self._hashes[next(iter(self._hashes))]
            self._hashes[event_id] = hashed
            return True
        if first != hashed:
            raise key_used(event_id)
        return False

    def forget(self, event_ids: Iterable[str]) -> None:
        """Nothing was stored of these."""
        for event_id in event_ids:
            self._hashes.pop(event_id, None)
