"""The metrics of delivery, as they are at the moment."""

import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from contracts.topics import ROUTE_GROUP
from processors.deliver.lanes import Lanes
from processors.deliver.ledger import Ledger
from processors.deliver.places import Places
from service.kafka.follow import SubscriptionsFollower


class DeliveryMeasures(Collector):
    """Of one router."""

    def __init__(
        self, places: Places, lanes: Lanes, ledger: Ledger, subscriptions: SubscriptionsFollower
    ) -> None:
        self._subscriptions = subscriptions
        self._places = places
        self._lanes = lanes
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        table = self._subscriptions.table
        oldest_ms = self._places.oldest_ms(table.stopped)
        gauges = (
            (
                "events_deliveries_parked",
                "Subscriptions that have not been sent all and are served apart.",
                len(self._places.lanes() - table.stopped),
            ),
            (
                "events_deliveries_paused",
                "Subscriptions whose queue took nothing for so long that nothing is sent until they are"
                " enabled; of all partitions, so each router says the same.",
                len(table.paused),
            ),
            (
                "events_deliveries_open",
                "Subscriptions whose queue takes nothing: their circuit breaker is open.",
                self._lanes.open,
            ),
            (
                "events_deliveries_oldest_seconds",
                "How long ago the first of those served apart fell behind; 0 without any.",
                0.0 if oldest_ms is None else time.time() - oldest_ms / 1000,
            ),
        )
        for name, help_, value in gauges:
            gauge = GaugeMetricFamily(name, help_, labels=("group",))
            gauge.add_metric((ROUTE_GROUP,), value)
            yield gauge
        attempts = CounterMetricFamily(
            "events_deliveries",
            "What this process has told the ledger of deliveries, by state.",
            labels=("group", "state"),
        )
        for state, count in sorted(self._ledger.counts.items()):
            attempts.add_metric((ROUTE_GROUP, state), count)
        yield attempts
