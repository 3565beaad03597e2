"""Who changed which subscription, and when: records beside the subscriptions, in the same topic.

A change and what it leaves are appended together, so neither is there without the other, and a
change's key is its own (`tenant:id:change:<uuid7>`), so compaction keeps it. A tenant's changes may
take `BYTES_MAX`; past it the oldest go, by a record without value under their key.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from contracts.subscriptions import encode_json

CHANGE = "change:"
BYTES_MAX = 4 * 1024 * 1024

Action = Literal["create", "replace", "patch", "delete", "confirm", "pause"]
SERVICE = "the service"


class Change(BaseModel):
    """One change. `before` and `after` hold the members that differ; null where there is nothing."""

    id: str = Field(description="A UUID, made at the time of the change.")
    at: str = Field(description="When, RFC 3339 in UTC.")
    by: str = Field(
        description="The subject (`sub`) of the token; `the service` where that paused it itself."
    )
    action: Action
    before: dict[str, Any] | None
    after: dict[str, Any] | None


Document = Mapping[str, Any]


def differing(
    before: Document | None, after: Document | None
) -> tuple[Document | None, Document | None]:
    """Both without the members that are the same in both."""
    if before is None or after is None:
        return before, after
    names = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return (
        {name: member for name, member in before.items() if name in names},
        {name: member for name, member in after.items() if name in names},
    )


def change_value(
    change_id: str,
    at: str,
    by: str,
    action: Action,
    before: Document | None,
    after: Document | None,
) -> bytes:
    """The record's value: the JSON of a `Change`."""
    before, after = differing(before, after)
    change = {"id": change_id, "at": at, "by": by, "action": action}
    return encode_json(change | {"before": before, "after": after})


def change_key(tenant: str, subscription_id: str, change_id: str) -> bytes:
    """The key of a change's record."""
    return f"{tenant}:{subscription_id}:{CHANGE}{change_id}".encode()


Key = tuple[str, str]
"""Subscription and change."""


class Changes:
    """The changes of all tenants, as the topic has them, oldest first."""

    def __init__(self) -> None:
        self._by_tenant: dict[str, dict[Key, bytes]] = {}
        self._bytes: dict[str, int] = {}

    def apply(self, tenant: str, subscription_id: str, name: str, value: bytes | None) -> None:
        """Take a record; what is no change is passed over."""
        if not name.startswith(CHANGE):
            return
        kept = self._by_tenant.setdefault(tenant, {})
        key = (subscription_id, name.removeprefix(CHANGE))
        size = len(value or b"") - len(kept.pop(key, b""))
        self._bytes[tenant] = self._bytes.get(tenant, 0) + size
        if value is not None:
            kept[key] = value
        elif not kept:
            del self._by_tenant[tenant], self._bytes[tenant]

    def of(self, tenant: str, subscription_id: str) -> list[bytes]:
        """The changes of one subscription as JSON, newest first; those of a deleted one too."""
        kept = self._by_tenant.get(tenant, {})
        return [value for (owner, _), value in reversed(kept.items()) if owner == subscription_id]

    def excess(self, tenant: str, more_bytes: int) -> list[bytes]:
        """The keys of the oldest, which have to go so that there is room for `more_bytes`."""
        excess = self._bytes.get(tenant, 0) + more_bytes - BYTES_MAX
        keys = []
        for (subscription_id, change_id), value in self._by_tenant.get(tenant, {}).items():
            if excess <= 0:
                break
            keys.append(change_key(tenant, subscription_id, change_id))
            excess -= len(value)
        return keys
