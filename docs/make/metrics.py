"""docs/reference/metrics.md, from the collectors that the processes register."""

from types import SimpleNamespace
from typing import Any

from prometheus_client.registry import Collector

from docs.make.markdown import GENERATED, code, table
from ingest.measures import InHand
from processors.consume.probes import Measures
from processors.deliver.measures import DeliveryMeasures
from query.measures import Lookups
from service.http.measures import Log, Requests

TEXT = """# Metrics

{generated}In Prometheus' text format. ingest and query show `GET /metrics` on a port of their own, `EVENTS_HTTP__METRICS_PORT` and of
several workers the next ones; materialize, route and ledger beside `/healthz` and `/readyz` on `EVENTS_PROBES__PORT`. Each also has
`process_...` (CPU, memory, descriptors). What to alert on: [alerts](../operate/alerts.md).

{metrics}"""


def page() -> str:
    """The page."""
    rows = [row for services, collector in _collectors() for row in _rows(services, collector)]
    head = ("metric", "kind", "labels", "of", "meaning")
    return TEXT.format(generated=GENERATED, metrics=table(head, rows))


def _collectors() -> list[tuple[str, Collector]]:
    """What is registered, over something that has measured nothing."""
    nothing: Any = SimpleNamespace(
        ready=True, stalled_partitions=(), used=0, handled=0,
        group="", backlogs={}, seconds=dict, lanes=set, open=0, counts={}, oldest_ms=lambda _: None,
        answered={},
        table=SimpleNamespace(stopped=set(), paused=set()),
    )  # fmt: skip
    return [
        ("ingest, query", Requests()),
        ("ingest", InHand(nothing, 0)),
        ("ingest, query", Log(nothing)),
        ("query", Lookups(nothing, nothing)),
        ("materialize, route, ledger", Measures(nothing, nothing)),
        ("route", DeliveryMeasures(nothing, nothing, nothing, nothing)),
    ]


def _rows(services: str, collector: Collector) -> list[tuple[str, ...]]:
    return [
        (
            code(each.name + ("_total" if each.type == "counter" else "")),
            each.type,
            ", ".join(map(code, getattr(each, "_labelnames", ()))),
            services,
            each.documentation,
        )
        for each in collector.collect()
    ]
