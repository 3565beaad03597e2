"""Requests are counted in lists and shown as metrics."""

from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from ingest.budget import Budget
from ingest.measures import InHand
from service.http.measures import Log, Requests


def shown(collector: Collector) -> list[str]:
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode().splitlines()


def test_a_duration_is_counted_in_every_bucket_that_holds_it() -> None:
    requests = Requests()
    for seconds in (0.001, 0.003, 3, 99):
        requests.answered("POST", b"201", seconds)
    requests.answered("GET", b"404", 0.5)
    lines = shown(requests)
    of_posts = 'events_http_request_seconds_bucket{code="201",le="%s",method="POST"} %s'
    counts = {"0.001": 1.0, "0.0025": 1.0, "0.005": 2.0, "2.5": 2.0, "5.0": 3.0, "+Inf": 4.0}
    for bound, count in counts.items():
        assert of_posts % (bound, count) in lines
    assert 'events_http_request_seconds_count{code="201",method="POST"} 4.0' in lines
    assert 'events_http_request_seconds_sum{code="201",method="POST"} 102.004' in lines
    assert 'events_http_requests_total{code="404",method="GET"} 1.0' in lines


def test_refusals_are_counted_by_reason() -> None:
    requests = Requests()
    requests.refused["memory"] += 2
    assert 'events_http_refusals_total{reason="memory"} 2.0' in shown(requests)


def test_what_is_in_hand_is_shown_against_its_limit() -> None:
    budget = Budget(1000)
    budget.take(300)
    lines = shown(InHand(budget, 1000))
    assert "events_in_hand_bytes 300.0" in lines
    assert "events_in_hand_limit_bytes 1000.0" in lines


def test_partitions_that_take_no_records_are_named() -> None:
    class Stalled:
        ready = False
        stalled_partitions = (("events", 3),)

    log: Any = Stalled()
    lines = shown(Log(log))
    assert 'events_log_stalled{partition="3",topic="events"} 1.0' in lines
    assert "events_log_ready 0.0" in lines
