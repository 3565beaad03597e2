"""What was answered 201 can be read at once, before the view has it; and what was erased cannot."""

from tests.builders import an_event
from tests.stack import Stack, eventually
from tests.visible import visible


def test_an_event_is_read_and_erased_while_the_view_stands_still(stack: Stack, tenant: str) -> None:
    with stack.client(tenant) as client, stack.client("somebody-else") as stranger:
        with stack.freeze("materialize"):
            kept, erased = (client.post("/api/v1/events", json=an_event()) for _ in range(2))
            batch = client.post("/api/v1/events:batch", json=[an_event(entity_id="b")]).json()
            for posted in (kept, erased):
                found = client.get(posted.headers["Location"])
                assert (found.status_code, found.content) == (200, posted.content)
            assert client.get(f"/api/v1/events/{batch['items'][0]['id']}").status_code == 200
            assert stranger.get(kept.headers["Location"]).status_code == 404
            assert stack.counts(tenant) == (0, 0)
            assert client.delete(erased.headers["Location"]).status_code == 204
            assert client.get(erased.headers["Location"]).status_code == 404
        visible(client, kept.json()["id"])
        eventually(lambda: stack.counts(tenant), until=lambda counts: counts == (2, 2))
        assert client.get(erased.headers["Location"]).status_code == 404


def test_an_event_is_read_while_clickhouse_is_away(stack: Stack, tenant: str) -> None:
    with stack.client(tenant) as client, stack.freeze("clickhouse"):
        posted = client.post("/api/v1/events", json=an_event())
        assert client.get(posted.headers["Location"]).content == posted.content
