"""All pages of a search: one may end before it is full, where the machine is busy."""

from collections.abc import Iterator
from typing import Any

import httpx

from contracts import paths


def pages(client: httpx.Client, **parameters: Any) -> Iterator[dict[str, Any]]:
    """Each page, following the links."""
    answer = client.get(paths.EVENTS, params=parameters)
    while True:
        assert answer.status_code == 200, answer.text
        body = answer.json()
        yield body
        if body["next"] is None:
            assert "next" not in answer.links
            return
        assert f"cursor={body['next']}" in answer.links["next"]["url"]
        answer = client.get(answer.links["next"]["url"])


def walk(client: httpx.Client, **parameters: Any) -> list[dict[str, Any]]:
    """All events of all pages."""
    return [event for page in pages(client, **parameters) for event in page["events"]]


def walk_by_filter(client: httpx.Client, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """The same of a search by `filter`, whose cursors are in its bodies."""
    events: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = client.post(paths.SEARCH, json=asked | cursor)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        events += body["events"]
        if body["next"] is None:
            return events
        cursor = {"cursor": body["next"]}
