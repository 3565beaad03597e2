"""What the query service measures of its lookups."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from query.log import LogLookup
from query.lookup import Lookup


class Lookups(Collector):
    """Lookups by what answered them, and reads of the log by their outcome."""

    def __init__(self, lookup: Lookup, log_lookup: LogLookup) -> None:
        self._lookup = lookup
        self._log_lookup = log_lookup

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        answered = CounterMetricFamily(
            "events_lookups",
            "Events looked up by id, by what answered: the log or the view.",
            labels=("source",),
        )
        for source, count in sorted(self._lookup.answered.items()):
            answered.add_metric((source,), count)
        yield answered
        reads = CounterMetricFamily(
            "events_log_reads",
            "Reads of the log for them: read, failed, too_much for its bound.",
            labels=("outcome",),
        )
        for outcome, count in sorted(self._log_lookup.counts.items()):
            reads.add_metric((outcome,), count)
        yield reads
