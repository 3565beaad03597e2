"""What the front says of itself: /metrics on a port of its own, HEAD where GET is."""

import json

import httpx
import psutil
import pytest

from tests.attacks.table import door_with
from tests.builders import an_event
from tests.processes import free_port
from tests.stack import Stack, eventually


def metrics(url: str) -> dict[str, float]:
    """Values by name and labels."""
    answer = httpx.get(url, timeout=60).raise_for_status()
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = [line.rsplit(" ", 1) for line in answer.text.splitlines() if line[0] != "#"]
    return {name: float(value) for name, value in lines}


def test_the_status_says_where_the_requests_are_counted(stack: Stack, tenant: str) -> None:
    url = stack.refresh()["processes"]["api"]["metrics"]
    with stack.client(tenant) as client:
        client.post("/api/v1/events", json=an_event()).raise_for_status()
        before = metrics(url)
        for _ in range(3):
            client.post("/api/v1/events", json=an_event()).raise_for_status()
        assert client.post("/api/v1/events", content=b"{").status_code in (400, 405)
        assert client.get("/api/v1/nothing").status_code == 404
    after = metrics(url)

    def more(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert more('events_http_requests_total{code="201",method="POST"}') == 3
    assert more('events_http_request_seconds_count{code="201",method="POST"}') == 3
    assert more('events_http_refusals_total{reason="not-found"}') == 1
    assert after["events_in_hand_bytes"] == 0
    assert after["events_in_hand_limit_bytes"] > 0
    assert after["events_log_ready"] == 1
    assert after["process_cpu_seconds_total"] > 0


@pytest.mark.parametrize("processor", ["materialize", "route", "ledger"])
def test_the_status_says_where_the_processors_are_measured(stack: Stack, processor: str) -> None:
    assert metrics(stack.refresh()["processes"][processor]["metrics"])


def test_each_worker_has_a_port_and_one_that_is_replaced_takes_its_predecessors(
    stack: Stack,
) -> None:
    first = free_port(2)
    several = {"EVENTS_HTTP__WORKERS": "2", "EVENTS_HTTP__METRICS_PORT": str(first)}

    def pids() -> set[int]:
        """Of who answers on the two ports."""
        found: set[int] = set()
        for each in psutil.net_connections("tcp"):
            is_ours = each.laddr and each.laddr.port in (first, first + 1)
            if is_ours and each.status == "LISTEN" and each.pid:  # none of one that ends just now
                found.add(each.pid)
        return found

    with door_with(stack, several):
        before = eventually(pids, until=lambda found: len(found) == 2)
        for port in (first, first + 1):
            assert "events_in_hand_bytes" in metrics(f"http://127.0.0.1:{port}/metrics")
        psutil.Process(min(before)).kill()
        eventually(pids, until=lambda found: len(found) == 2 and found != before)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/api/v1/events", "/api/v1/nothing"])
def test_head_is_what_get_is_without_the_body(stack: Stack, tenant: str, path: str) -> None:
    with stack.client(tenant) as client:
        got, headed = client.get(path), client.head(path)
    assert headed.status_code == got.status_code
    assert headed.content == b""
    for answer in (got, headed):
        del answer.headers["date"]
    assert dict(headed.headers) == dict(got.headers)


def test_allow_names_head_where_get_is(stack: Stack, tenant: str) -> None:
    with stack.client(tenant) as client:
        answer = client.delete("/readyz")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert json.loads(answer.content)["status"] == 405
