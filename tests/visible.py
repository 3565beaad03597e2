"""Whether the view has an event: that GET answers it says less, since it may come out of the log."""

import time

import httpx

from contracts.criteria import rfc_3339
from tests.stack import DEADLINE_S, eventually

PAGE = 200


def visible(client: httpx.Client, event_id: str) -> None:
    """Return when a search shows the event, which was just posted, among the tenant's newest."""
    # a search of all time looks at all of it while there are fewer events than asked for
    from_ms = time.time_ns() // 1_000_000 - int(DEADLINE_S * 1000)

    def newest() -> set[str]:
        answer = client.get("/api/v1/events", params={"limit": PAGE, "from": rfc_3339(from_ms)})
        return {event["id"] for event in answer.json().get("events", ())}

    eventually(newest, until=lambda found: event_id in found)
