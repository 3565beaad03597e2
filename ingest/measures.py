"""What the edge measures of itself beside its requests."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ingest.budget import Budget


class InHand(Collector):
    """Bytes of requests in hand, and how many there may be."""

    def __init__(self, budget: Budget, limit_bytes: int) -> None:
        self._budget = budget
        self._limit_bytes = limit_bytes

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        yield GaugeMetricFamily(
            "events_in_hand_bytes", "Bytes of requests in hand.", value=self._budget.used
        )
        yield GaugeMetricFamily(
            "events_in_hand_limit_bytes", "Past it requests get 503.", value=self._limit_bytes
        )
