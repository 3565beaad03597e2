"""Settings of the processors, read from the environment once, by `__main__`."""

from pydantic import Field

from contracts.clickhouse.schema import ClusterSettings, TableSettings
from contracts.topics import TopicSettings
from service.connections import (
    ACK_TIMEOUT_S,
    ClickHouseConnection,
    KafkaConnection,
    Probes,
    SqsConnection,
)
from service.destinations import Destinations
from service.settings import Settings


class _Settings(Settings):
    """What all processors are told."""

    kafka: KafkaConnection = KafkaConnection()
    ack_timeout_s: float = Field(
        ACK_TIMEOUT_S,
        gt=0,
        description="How long a write to Kafka may take before it counts as failed.",
    )
    backoff_max_s: float = Field(
        30, gt=0, description="Longest pause between two tries while a server is away."
    )
    stuck_after_s: float = Field(
        60, gt=5, description="A consumer that lags and has not moved for this long is restarted."
    )


class ConsumerSettings(_Settings):
    """What consumers are told."""

    probes: Probes = Probes()
    loss_threshold_s: float = Field(
        3 * 24 * 3600,  # a long weekend to act in, a tenth of the retention
        ge=0,
        description="Not ready when an unhandled record leaves Kafka sooner; below the retention.",
    )
    accept_loss: bool = Field(
        False, description="Go on at the log's start where unhandled records have left Kafka."
    )


class MaterializeSettings(ConsumerSettings):
    """Kafka to ClickHouse."""

    clickhouse: ClickHouseConnection = ClickHouseConnection()
    tables: ClusterSettings = ClusterSettings()
    batch_rows_max: int = Field(
        30_000, ge=1, le=500_000, description="Most rows of one insert; one insert is one part."
    )
    batch_bytes_min: int = Field(
        1_000_000,
        ge=1,
        description="Kafka answers a fetch when its log has this much, or at batch_wait_ms.",
    )
    batch_wait_ms: int = Field(
        200, ge=1, le=10_000, description="Longest wait for a batch to fill: the view's usual age."
    )


class LedgerSettings(MaterializeSettings):
    """What became of deliveries, Kafka to ClickHouse."""


class RouteSettings(ConsumerSettings):
    """Kafka to SQS."""

    sqs: SqsConnection = SqsConnection()
    destinations: Destinations = Destinations()
    batch_rows_max: int = Field(1_000, ge=1, le=50_000, description="Most events of one step.")
    batch_wait_ms: int = Field(50, ge=1, le=10_000, description="Longest wait for a batch.")
    public_url: str = Field(
        "",
        pattern=r"^(https?://[^ ?#]+)?$",
        description="Where clients find the API: begins the link to an event that a queue is too small for.",
    )
    retry_pause_max_s: float = Field(
        300, gt=0, description="Longest pause between two tries of a queue; they begin with 1 s."
    )
    retry_for_s: float = Field(
        24 * 3600,
        gt=0,
        description="How long an event is owed to a queue before it goes to deliveries.dead.",
    )
    pause_after_s: float = Field(
        24 * 3600,
        gt=0,
        description="A subscription whose queue takes nothing for so long is paused.",
    )
    sends_max: int = Field(128, ge=1, le=512, description="SQS calls under way at once.")


class SetupSettings(_Settings):
    """Topics and tables, created once."""

    clickhouse: ClickHouseConnection = ClickHouseConnection()
    topics: TopicSettings = TopicSettings()
    tables: TableSettings = TableSettings()
    timeout_s: float = Field(60, gt=0, description="How long the servers may take to come up.")
