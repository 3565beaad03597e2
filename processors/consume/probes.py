"""What a processor answers over HTTP: alive, ready or why not, and its metrics.

The metrics are in Prometheus' text format, worked out when they are asked for.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from contracts.topics import EVENTS
from processors.consume.consume import Consume
from processors.consume.time_left import TimeLeft
from processors.settings import ConsumerSettings
from service.http.app import asgi_app, serving
from service.http.asgi import Resources
from service.http.measures import metrics_of

STOP_TIMEOUT_S = 15.0


class Measures(Collector):
    """The metrics of one group's process, as they are at the moment."""

    def __init__(self, consume: Consume, retention: TimeLeft) -> None:
        self._consume = consume
        self._retention = retention

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        group = self._retention.group
        seconds = GaugeMetricFamily(
            "events_seconds_until_loss",
            "Seconds until the first record that is not handled may leave Kafka, 0 when it may have.",
            labels=("group", "partition"),
        )
        for number, left_s in sorted(self._retention.seconds().items()):
            seconds.add_metric((group, str(number)), left_s)
        lag = GaugeMetricFamily(
            "events_lag_records",
            "Records in Kafka that the group has not committed.",
            labels=("group", "partition"),
        )
        for number, backlog in sorted(self._retention.backlogs.items()):
            lag.add_metric((group, str(number)), backlog.lag)
        handled = CounterMetricFamily(
            "events_handled_records",
            "Records that this process has handled and committed.",
            labels=("group",),
        )
        handled.add_metric((group,), self._consume.handled)
        yield from (seconds, lag, handled)


@contextlib.asynccontextmanager
async def probed(
    consume: Consume,
    group: str,
    settings: ConsumerSettings,
    *more: Collector,
    topic: str = EVENTS,
) -> AsyncIterator[None]:
    """Watch the log and answer probes for as long as the context is open; with `more` metrics."""
    retention = TimeLeft(settings.kafka, group, lambda: _assigned(consume), topic)

    async def waiting_for() -> list[str]:
        return missing(consume, retention, settings.loss_threshold_s)

    measures = Measures(consume, retention)
    resources: Resources = {"/metrics": {"GET": metrics_of((measures, *more))}}
    app = asgi_app(resources, waiting_for, contextlib.nullcontext)
    watching = asyncio.create_task(_watch(retention, consume), name="retention")
    try:
        async with serving(app, settings.probes.host, settings.probes.port):
            yield
    finally:
        watching.cancel()
        await asyncio.wait({watching}, timeout=STOP_TIMEOUT_S)


async def _watch(retention: TimeLeft, consume: Consume) -> None:
    try:
        await retention.follow()
    except Exception as error:  # a bug: unwatched, a loss would come without a warning
        consume.fail(error)


def missing(consume: Consume, retention: TimeLeft, threshold_s: float) -> list[str]:
    """What keeps the process from being ready: kafka, assignment, retention."""
    names = [] if retention.fresh else ["kafka"]
    if not consume.joined:
        names.append("assignment")
    if not retention.known or min(retention.seconds().values(), default=math.inf) < threshold_s:
        names.append("retention")
    return names


def _assigned(consume: Consume) -> frozenset[object]:
    return frozenset(consume.consumer.assignment()) if consume.consumer is not None else frozenset()
