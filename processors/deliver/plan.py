"""From records of the log to what each subscription is to get of them."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from contracts.attempts import Origin
from contracts.deliveries import Delivery, delivery, fit_body
from contracts.encoding.wire import Undecodable, decode_event, decode_tenant
from contracts.filters import Failure, View
from contracts.subscription_table import Subscriptions
from contracts.subscriptions import Subscription
from processors.consume.step import LogRecord
from processors.deliver.firsts import Firsts
from processors.deliver.lane import Key, Position
from processors.deliver.outcomes import Outcome
from processors.deliver.place import Place

log = logging.getLogger(__name__)

DELIVERIES_MAX = 2_000
BYTES_MAX = 16 * 1024 * 1024
"""A plan ends with the record that reaches one of these."""


class Planned(NamedTuple):
    """What one subscription is to get, in the order of the log, and what could not be made of it."""

    subscription: Subscription
    deliveries: list[Delivery]
    unmade: list[Outcome]

    @property
    def positions(self) -> list[Position]:
        """Of all."""
        made = [each.position for each in self.deliveries]
        return made + [each.delivery.position for each in self.unmade]


class Plan:
    """Of some records: `ends` is the offset after the last of them, by partition."""

    def __init__(self) -> None:
        self.of: dict[Key, Planned] = {}
        self.ends: dict[int, int] = {}
        self.count = 0
        self.size_bytes = 0

    @property
    def full(self) -> bool:
        """Whether it has all that should be in hand at once."""
        return self.count >= DELIVERIES_MAX or self.size_bytes >= BYTES_MAX


def plans(
    table_of_now: Callable[[], Subscriptions],
    records: Iterable[LogRecord],
    firsts: Firsts,
    behind: Collection[Place] = (),
    only: Key | None = None,
) -> Iterator[Plan]:
    """The deliveries of `records` in order, without the places that are in `behind` at that time.

    And without repeats of what `firsts` has seen before. With `only`, those of that subscription alone.
    """
    plan, table = Plan(), table_of_now()
    for record in records:
        _add(plan, table, record, firsts, behind, only)
        plan.ends[record.partition] = record.offset + 1
        if plan.full:
            yield plan
            # asked again: a follower that has connected anew has another table
            plan, table = Plan(), table_of_now()
    if plan.ends:
        yield plan


def again(
    records: Iterable[LogRecord],
    subscription: Subscription,
    replay_id: str,
    origin: Origin,
    attempts: Mapping[Position, int],
) -> Planned:
    """The deliveries of events that somebody asked for by name, whatever the filter is by now.

    Their attributes say so: the `origin`, the `replay_id`, and which attempt of it this is.
    """
    planned = Planned(subscription, [], [])
    for record in records:
        try:
            tenant, event = decode_tenant(record.headers), decode_event(record.value)
        except Undecodable:
            continue
        body, unfit = _body(record.value or b"")
        _deliver(planned, tenant, View(event), body, record, unfit, replay_id)
    for number, each in enumerate(planned.deliveries):
        attempt = str(attempts.get(each.position, 0) + 1)
        told = {"attempt": attempt, "origin": origin, "replay_id": replay_id}
        planned.deliveries[number] = each._replace(attributes=each.attributes | told)
    return planned


def receivers(table: Subscriptions, record: LogRecord) -> list[Key]:
    """The subscriptions that a record may be for."""
    try:
        tenant = decode_tenant(record.headers)
        if not table.has(tenant):
            return []
        event = decode_event(record.value)
    except Undecodable:
        return []
    matching = table.matching(tenant, View(event))
    return [(tenant, each if isinstance(each, str) else each.subscription_id) for each in matching]


def _add(
    plan: Plan,
    table: Subscriptions,
    record: LogRecord,
    firsts: Firsts,
    behind: Collection[Place],
    only: Key | None,
) -> None:
    try:
        tenant = decode_tenant(record.headers)
        if (only and only[0] != tenant) or not table.has(tenant):
            return
        event = decode_event(record.value)
    except Undecodable:  # or a tombstone: what was delivered stays where it is
        return
    view = View(event)
    if firsts.has_before(tenant, event.id, record) or not (
        matching := table.matching(tenant, view)
    ):
        return
    body, unfit = _body(record.value or b"")  # one text for all who get it
    plan.size_bytes += len(body)
    for found in matching:
        name = found.subscription_id if isinstance(found, Failure) else found
        if (only and only[1] != name) or Place(tenant, name, record.partition) in behind:
            continue
        if (planned := plan.of.get((tenant, name))) is None:
            subscription = table.get(tenant, name)
            if subscription is None:
                continue
            planned = plan.of[tenant, name] = Planned(subscription, [], [])
        cause = found.cause if isinstance(found, Failure) else unfit
        _deliver(planned, tenant, view, body, record, cause)
        plan.count += 1


def _body(value: bytes) -> tuple[str, Exception | None]:
    """The text that is sent, and why it cannot be sent."""
    try:
        return fit_body(value), None
    except UnicodeDecodeError as error:
        return value.decode(errors="replace"), error


def _deliver(
    planned: Planned,
    tenant: str,
    view: View,
    body: str,
    record: LogRecord,
    cause: Exception | None,
    replay_id: str = "",
) -> None:
    """Add the delivery to the plan; what cannot be told, or made, is given up with its cause."""
    subscription, position = planned.subscription, (record.partition, record.offset)
    try:
        if cause is not None:
            raise cause
        fairness, headers = subscription.delivery.fairness, record.headers
        planned.deliveries.append(
            delivery(
                tenant,
                view.event,
                body,
                subscription.id,
                position,
                headers=headers,
                fairness=fairness,
                replay_id=replay_id,
            )
        )
    except Exception as error:
        log.exception("nothing can be made for subscription %s of %s", subscription.id, tenant)
        attributes = {"tenant": tenant, "event_id": view.event.id}
        bare = Delivery(body, attributes, "", position, replay_id=replay_id)
        planned.unmade.append(Outcome(bare, "never", message=repr(error), tried=False))
