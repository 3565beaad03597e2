"""Whether the view has an event: that GET answers it says less, since it may come out of the log."""

import httpx

from tests.stack import eventually

PAGE = 200


def visible(client: httpx.Client, event_id: str) -> None:
    """Return when a search shows the event among the tenant's newest."""

    def newest() -> set[str]:
        answer = client.get("/api/v1/events", params={"limit": PAGE})
        return {event["id"] for event in answer.json().get("events", ())}

    eventually(newest, until=lambda found: event_id in found)
