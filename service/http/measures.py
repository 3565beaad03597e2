"""Requests of one process, counted: in plain lists while they are answered, as metrics when asked.

A prometheus_client object costs a lock and several calls for each request; a list costs neither.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from service.http.asgi import Handler, Receive, Scope, Send, respond
from service.kafka.eventlog import EventLog

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LABELS = (*map(str, BOUNDS_S), "+Inf")


class Requests(Collector):
    """Answers by method and status with their durations, and refusals by reason."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self._answers: dict[tuple[str, bytes], list[float]] = {}

    def answered(self, method: str, status: bytes, seconds: float) -> None:
        """Count an answer; `status` as it stands in the answer's first line."""
        try:
            counts = self._answers[method, status]
        except KeyError:  # the last one is the sum of seconds
            counts = self._answers[method, status] = [0.0] * (len(_LABELS) + 1)
        counts[bisect_left(BOUNDS_S, seconds)] += 1
        counts[-1] += seconds

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        names = ("method", "code")
        total = CounterMetricFamily("events_http_requests", "Requests answered.", labels=names)
        durations = HistogramMetricFamily(
            "events_http_request_seconds",
            "From when a request's head was read and its turn had come until its answer was written.",
            labels=names,
        )
        for (method, status), (*counts, seconds) in sorted(self._answers.items()):
            labels = (method, status.decode())
            summed = [sum(counts[: end + 1]) for end in range(len(counts))]
            durations.add_metric(labels, list(zip(_LABELS, summed, strict=True)), seconds)
            total.add_metric(labels, summed[-1])
        refused = CounterMetricFamily(
            "events_http_refusals", "Requests and connections refused.", labels=("reason",)
        )
        for reason, count in sorted(self.refused.items()):
            refused.add_metric((reason,), count)
        return iter((total, durations, refused))


class Log(Collector):
    """Whether records can be appended."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        yield GaugeMetricFamily(
            "events_log_ready", "1 when Kafka takes records, else 0.", value=self._log.ready
        )
        stalled = GaugeMetricFamily(
            "events_log_stalled",
            "1 for each partition that takes no records at the moment.",
            labels=("topic", "partition"),
        )
        for topic, number in self._log.stalled_partitions:
            stalled.add_metric((topic, str(number)), 1)
        yield stalled


def metrics_of(collectors: Iterable[Collector]) -> Handler:
    """The handler of `GET /metrics`: what `collectors` and this process have, in Prometheus' text format."""
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    ProcessCollector(registry=registry)

    async def metrics(scope: Scope, receive: Receive, send: Send) -> None:
        kind = ((b"content-type", CONTENT_TYPE_LATEST.encode()),)
        await respond(send, 200, kind, generate_latest(registry))

    return metrics
