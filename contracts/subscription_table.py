"""What the topic `subscriptions` says: all subscriptions of all tenants, and who an event is for.

The topic is compacted and keyed by tenant and id, so its records are the table: a reader applies them
in order from the beginning. A record that cannot be read makes its subscription inactive, with the
reason; it stops nobody. Every change touches the index at its own subscription alone. A subscription
that can be read is kept as its record, which takes a tenth of the object, and read anew when asked for.
"""

import logging
from collections import deque
from collections.abc import Collection, Iterator
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import islice

import msgspec
from pydantic import ValidationError

from contracts.changes import Changes
from contracts.filters import Failure, Filter, Index, Refused, View, matches, parse
from contracts.pauses import PAUSED, Pause
from contracts.subscriptions import Subscription, read_stored, unreadable
from contracts.tenants import is_tenant

log = logging.getLogger(__name__)


_decode = msgspec.json.Decoder(float_hook=Decimal).decode

Name = tuple[str, str]
"""Tenant and id."""
CHANGES_KEPT = 1000
"""Who asks what has changed does so after each few records."""
Kept = bytes | Subscription
"""The value of a record that can be read, or what stands for one that cannot."""


class UnreadableSubscription(Exception):
    """A record on `subscriptions` that cannot be applied; the message says why."""


class Subscriptions:
    """The table, as the records applied so far leave it; the changes too where `changes` is given.

    `version` grows with each record that may change who an event is for. `unconfirmed` are those with a
    queue that is not known to be the tenant's, `stopped` those that keep their position, `paused` some of
    these; `started` says when others went on. With `match_stopped` they match as if they were not.
    """

    def __init__(self, changes: Changes | None = None, *, match_stopped: bool = False) -> None:
        self.changes = changes
        self.version = 0
        self.unconfirmed: dict[Name, Subscription] = {}
        self.stopped: set[Name] = set()
        self.paused: set[Name] = set()
        self.started: dict[Name, str] = {}
        self._match_stopped = match_stopped
        self._changed: deque[Name] = deque(maxlen=CHANGES_KEPT)  # one for each version
        self._by_tenant: dict[str, dict[str, Kept]] = {}
        self._index = Index()

    def apply(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record of the topic, in its order. Raises `UnreadableSubscription`."""
        tenant, _, rest = (key or b"").decode("utf-8", "replace").partition(":")
        subscription_id, _, more = rest.partition(":")
        if not is_tenant(tenant) or not subscription_id:
            raise UnreadableSubscription("the key is not tenant:id")
        if more == PAUSED:
            self._pause(tenant, subscription_id, value)
            return
        if more:
            if self.changes is not None:
                self.changes.apply(tenant, subscription_id, more, value)
            return
        self._moves((tenant, subscription_id))
        self._forget((tenant, subscription_id))
        if value is None:
            self._index.remove(tenant, subscription_id)
            by_id = self._by_tenant.get(tenant, {})
            by_id.pop(subscription_id, None)
            if not by_id:
                self._by_tenant.pop(tenant, None)
            return
        kept, subscription, filter_ = _read(subscription_id, value)
        self._by_tenant.setdefault(tenant, {})[subscription_id] = kept
        self._note((tenant, subscription_id), subscription)
        matches = subscription.active or (self._match_stopped and subscription.stopped)
        if filter_ is None or not matches:
            self._index.remove(tenant, subscription_id)
        else:
            self._index.put(tenant, subscription_id, filter_)

    def _forget(self, name: Name) -> None:
        self.unconfirmed.pop(name, None)
        self.started.pop(name, None)
        self.stopped.discard(name)
        self.paused.discard(name)

    def _note(self, name: Name, subscription: Subscription) -> None:
        if subscription.stopped:
            self.stopped.add(name)
        elif not subscription.active:
            self.unconfirmed[name] = subscription
        if subscription.started is not None:
            self.started[name] = subscription.started.at

    def _pause(self, tenant: str, subscription_id: str, value: bytes | None) -> None:
        """Until a later record of the subscription; one that receives nothing stays as it is."""
        subscription = self.get(tenant, subscription_id)
        if value is None or subscription is None or not subscription.active:
            return
        try:
            pause = Pause.model_validate_json(value)
        except ValidationError as error:
            raise UnreadableSubscription(_said(error)) from error
        self._moves((tenant, subscription_id))
        self._by_tenant[tenant][subscription_id] = subscription.while_paused(pause)
        self.stopped.add((tenant, subscription_id))
        self.paused.add((tenant, subscription_id))
        if not self._match_stopped:
            self._index.remove(tenant, subscription_id)

    def _moves(self, name: Name) -> None:
        self.version += 1
        self._changed.append(name)

    def changed_since(self, version: int) -> set[Name] | None:
        """The subscriptions of the records after `version`; None for too many to be remembered."""
        count = self.version - version
        if count > len(self._changed):
            return None
        return set(islice(reversed(self._changed), count))

    def has(self, tenant: str) -> bool:
        """Whether any subscription of the tenant may receive something: else no event is decoded."""
        return self._index.has(tenant)

    def count(self, tenant: str) -> int:
        """How many subscriptions the tenant has."""
        return len(self._by_tenant.get(tenant, ()))

    def of(self, tenant: str, after: str = "") -> Iterator[Subscription]:
        """The tenant's subscriptions of now with ids above `after`, in the order of their ids."""
        kept = self._by_tenant.get(tenant, {}).items()
        return (_opened(each) for _, each in sorted(item for item in kept if item[0] > after))

    def get(self, tenant: str, subscription_id: str) -> Subscription | None:
        """One subscription, or None."""
        kept = self._by_tenant.get(tenant, {}).get(subscription_id)
        return None if kept is None else _opened(kept)

    def matching(self, tenant: str, view: View) -> Collection[str | Failure]:
        """The active subscriptions that accept the event: each once, by its id, or by a `Failure`."""
        try:
            found = self._index.matching(tenant, view)
        except Exception:  # a fault of ours: each is asked alone, so that it costs who has it
            log.exception("the index of tenant %s fails", tenant)
            found = list(self._one_by_one(tenant, view))
        failures = [each for each in found if isinstance(each, Failure)]
        if not failures:
            return found
        accepted = {each for each in found if isinstance(each, str)}  # by another alternative
        failed = {each.subscription_id: each for each in failures}
        return [*accepted, *(each for name, each in failed.items() if name not in accepted)]

    def _one_by_one(self, tenant: str, view: View) -> Iterator[str | Failure]:
        for subscription in self.of(tenant):
            try:
                if subscription.active and matches(filter_of(subscription), view):
                    yield subscription.id
            except Exception as cause:
                yield Failure(subscription.id, cause)


def filter_of(subscription: Subscription) -> Filter:
    """The filter of a stored subscription. Raises `Refused`."""
    return parse(subscription.filter, limited=False)


def _opened(kept: Kept) -> Subscription:
    return kept if isinstance(kept, Subscription) else _stored(kept)


@lru_cache(maxsize=1024)  # the router opens those that get something, again and again
def _stored(kept: bytes) -> Subscription:
    return read_stored(_decode(kept))


def _read(subscription_id: str, value: bytes) -> tuple[Kept, Subscription, Filter | None]:
    """What to keep of a record, what that says, and its filter where it can be read."""
    try:
        document = _decode(value)
        if not isinstance(document, dict) or document.get("id") != subscription_id:
            raise UnreadableSubscription("it is no object with the id of its key")
        subscription = read_stored(document)
    except InvalidOperation:
        return _inactive(subscription_id, "a number's exponent is out of bounds")
    except (ValueError, RecursionError, UnreadableSubscription) as error:
        return _inactive(subscription_id, _said(error))
    try:
        return value, subscription, filter_of(subscription)
    except Refused as error:
        reason = f"its filter cannot be read by this release: {str(error)[:500]}"
    except Exception as error:  # a fault of ours: it costs this subscription alone
        reason = f"its filter cannot be read: {error!r}"[:500]
        log.exception("the filter of subscription %s fails", subscription_id)
    log.error("subscription %s is inactive: %s", subscription_id, reason)
    found = subscription.model_copy(update={"inactive": reason})
    return found, found, None


def _inactive(subscription_id: str, why: str) -> tuple[Subscription, Subscription, None]:
    reason = f"what is stored cannot be read by this release: {why}"
    log.error("subscription %s is inactive: %s", subscription_id, reason)
    found = unreadable(subscription_id, reason)
    return found, found, None


def _said(error: Exception) -> str:
    """What is wrong, without the value."""
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:500]
    return str(error)[:500]
