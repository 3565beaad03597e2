"""All subscriptions of all tenants, asked at once: which of them accept an event.

A conjunction is kept under its most selective clause (`plan.py`); an event looks its own values up,
so what an event costs depends on what it matches, not on how many subscriptions there are. Where
many share a clause, what is left of them is indexed by the next one. `put` and `remove` touch what
they name alone. The naive evaluator says what has to come out; the tests hold both together.
"""

from collections.abc import Collection

from contracts.filters.node import Node
from contracts.filters.plan import Plan, bits_of, plans_of
from contracts.filters.tree import Filter
from contracts.filters.view import View
from contracts.filters.visit import Failure

NONE: frozenset[str | Failure] = frozenset()


class Index:
    """Filters by tenant and subscription id, in one process; no locks, no copies."""

    def __init__(self) -> None:
        self._roots: dict[str, Node] = {}
        self._kept: dict[str, dict[str, tuple[Plan, ...]]] = {}

    def put(self, tenant: str, subscription_id: str, filter_: Filter) -> None:
        """Add the subscription, or give it another filter."""
        self.remove(tenant, subscription_id)
        root = self._roots.get(tenant)
        if root is None:
            root = self._roots[tenant] = Node(keys_max=None)
            self._kept[tenant] = {}
        plans = self._kept[tenant][subscription_id] = plans_of(filter_)
        for plan in plans:
            root.add(plan, subscription_id)

    def remove(self, tenant: str, subscription_id: str) -> None:
        """Forget it; nothing happens when it is not there."""
        kept = self._kept.get(tenant)
        if kept is None or (plans := kept.pop(subscription_id, None)) is None:
            return
        for plan in plans:
            self._roots[tenant].discard(plan, subscription_id)
        if not kept:
            del self._roots[tenant], self._kept[tenant]

    def has(self, tenant: str) -> bool:
        """Whether the tenant has any: an event of one without need not be decoded."""
        return tenant in self._roots

    def matching(self, tenant: str, view: View) -> Collection[str | Failure]:
        """The ids whose filter accepts the event, each once, in no order.

        A filter that fails comes as a `Failure` with its id; the others are answered all the same.
        """
        root = self._roots.get(tenant)
        if root is None:
            return NONE
        found: list[str | Failure] = []
        root.collect(view, bits_of(view.event), found)
        return set(found) if len(found) > 1 else found
