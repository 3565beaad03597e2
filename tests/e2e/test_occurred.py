"""Events are found by when they happened, in searches and in SQL."""

import re
from datetime import UTC, datetime, timedelta

from tests.builders import a_payload, an_event
from tests.documents import ROOT
from tests.stack import Stack, eventually

PATH = "/api/v1/events"
ANALYSIS = (ROOT / "docs" / "how-to" / "analyse.md").read_text()
SINCE_WHEN = re.compile(r"^## When did it happen\?.*?```sql\n(.*?)```", re.M | re.S)


def test_events_are_found_by_when_they_happened(stack: Stack, tenant: str) -> None:
    """However long ago that was, where `from` does not say otherwise."""
    now = datetime.now(UTC)

    def said(ago: timedelta | None) -> str:
        text = "time at error occured" if ago is None else f"{now - ago:%Y-%m-%d %H:%M:%S}"
        payload = a_payload(key_attributes={"timestamp": text})
        return str(client.post(PATH, json=an_event(event_payload=payload)).json()["id"])

    def found(**times: timedelta) -> set[str]:
        asked = {name: f"{now - ago:%Y-%m-%dT%H:%M:%SZ}" for name, ago in times.items()}
        by_query = client.get(PATH, params=asked).json()["events"]
        body = {"filter": {"event_type": ["ENTITY_EVENT"]}, **asked}
        answer = client.post(f"{PATH}:search", json=body)
        assert answer.json()["events"] == by_query
        return {event["id"] for event in by_query}

    hour, month = timedelta(hours=1), timedelta(days=30)
    with stack.client(tenant) as client:
        long_ago, lately, _, ahead = (said(ago) for ago in (month, hour, None, -hour))
        eventually(lambda: stack.counts(tenant)[1], until=lambda count: count == 4)
        assert found(occurred_from=2 * hour) == {lately, ahead}
        assert found(occurred_from=2 * hour, occurred_to=timedelta(0)) == {lately}
        assert found(occurred_to=2 * hour) == {long_ago}
        assert found(occurred_from=2 * month, occurred_to=2 * hour) == {long_ago}
        assert found(occurred_from=-2 * hour) == set()
        assert found(occurred_from=2 * hour, to=hour) == set()
    rows = stack.sql(f"SELECT occurred_at IS NULL FROM entity_timeline WHERE tenant = '{tenant}'")
    assert sorted(rows) == [[0], [0], [0], [1]]
    [since_when] = SINCE_WHEN.findall(ANALYSIS)
    asked = since_when.replace("'acme'", f"'{tenant}'").replace("'FAULT'", "'ENTITY_EVENT'")
    [[_, _, _, count]] = stack.sql(asked)
    assert int(count) == 2
