"""Who is disabled or paused keeps its position, and goes on there, or skips to where matching is now.

A place says from which offset nothing was handled, so a position is a place: one in each partition, put as
soon as the subscription is seen to be stopped, which nobody serves until it goes on. Looked at before
records are matched by the subscriptions of now: what was matched before and what will be is known
exactly then, to both sides of `position`.
"""

from collections.abc import Iterator, Set

from contracts.subscription_table import Subscriptions
from processors.deliver.lane import Key
from processors.deliver.place import UNKNOWN, Behind, Place
from processors.deliver.places import Places
from service.kafka.follow import SubscriptionsFollower


class Stops:
    """Of all subscriptions, in our partitions; `changed` are those that were stopped, or started again."""

    def __init__(self, places: Places, follower: SubscriptionsFollower) -> None:
        self._places = places
        self._follower = follower
        self._seen: tuple[Subscriptions, int, int] | None = None
        self._stopped: set[Key] = set()
        self.changed: set[Key] = set()

    def look(self, *, again: bool = False) -> None:
        """Take what has changed since the last look; `again`: the positions have, too.

        No await may come between the look and the matching of records by the same table.
        """
        table, places = self._follower.table, self._places
        seen = table, table.version, places.generation
        if not places.known or (seen == self._seen and not again):
            return
        for key in self._to_look_at(table, again=again):
            self.keep(key)
            if key not in table.stopped:
                for place in places.of(key):
                    self._go_on(place, places.behind[place], table)
            if (key in self._stopped) != (key in table.stopped):
                self._stopped ^= {key}
                self.changed.add(key)
                if key not in table.stopped:
                    places.wake(key)  # whether it goes on or is deleted
        self._seen = seen

    def _to_look_at(self, table: Subscriptions, *, again: bool) -> Set[Key]:
        """Who has changed; all that a look may concern where that, or their positions, are not known."""
        if self._seen is not None and not again:
            before, version, generation = self._seen
            changed = table.changed_since(version)
            if before is table and generation == self._places.generation and changed is not None:
                return changed
        return table.stopped | self._stopped | self._places.lanes()

    def keep(self, key: Key) -> None:
        """If it is stopped, a place in each partition, at what was not matched for it."""
        table = self._follower.table
        if key not in table.stopped:
            return
        started = table.started.get(key, "")
        for place, position in self._positions(key):
            if place not in self._places.behind:
                self._places.put(place, Behind(position, {}, started=started))
            self._places.lower(place, position)  # a batch that failed comes again

    def _positions(self, key: Key) -> Iterator[tuple[Place, int]]:
        for partition in self._places.partitions:
            position = self._places.position(partition)
            if position is not None:
                yield Place(*key, partition), position

    def _go_on(self, place: Place, now: Behind, table: Subscriptions) -> None:
        """Once for each start; what is owed is owed from then on."""
        started, position = (
            table.started.get(place.lane, ""),
            self._places.position(place.partition),
        )
        if started == now.started or position is None:
            return
        subscription = table.get(*place.lane)
        if subscription is None:
            return
        self.changed.add(place.lane)
        said = subscription.started.missed if subscription.started else ""
        skips = said == "skip" and now.started != UNKNOWN  # it may have skipped already
        self._places.put(
            place,
            now._replace(
                started=started,
                skip_to=max(position, now.skip_to) if skips else now.skip_to,
                failing_ms=0,
                told_ms=0,
            ),
            anew=True,
        )
