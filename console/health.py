"""Subscriptions with how their queues do, as the list and the overview show them."""

from collections.abc import Sequence
from typing import Any

from console.api import gather, path
from console.page import Page
from console.reading.state import Document, state_of
from contracts import paths


async def with_health(page: Page, subscriptions: Sequence[Document]) -> list[dict[str, Any]]:
    """For each `it`, its `state`, and its `health`: None where that was not answered."""
    health = await gather(
        *(page.api.get(path(paths.HEALTH, id=each["id"])) for each in subscriptions)
    )
    return [
        {
            "it": each,
            "state": state_of(each, told),
            "health": told if isinstance(told, dict) else None,
        }
        for each, told in zip(subscriptions, health, strict=True)
    ]
