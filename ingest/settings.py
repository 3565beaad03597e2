"""Settings of the edge, read from the environment once, by `__main__`."""

from pydantic import Field

from contracts.events import EVENT_BYTES_MAX
from ingest.admission import Rate
from service.connections import ACK_TIMEOUT_S, Access, Http, KafkaConnection, SqsConnection
from service.destinations import Destinations
from service.settings import Settings


class IngestSettings(Settings):
    """The edge."""

    http: Http = Http()
    kafka: KafkaConnection = KafkaConnection()
    access: Access = Access()
    destinations: Destinations = Destinations()
    sqs: SqsConnection = SqsConnection()
    event_bytes_max: int = Field(
        EVENT_BYTES_MAX, ge=1024, le=EVENT_BYTES_MAX, description="Largest event, in bytes of JSON."
    )
    batch_items_max: int = Field(
        10_000, ge=1, le=100_000, description="Most events of one batch request."
    )
    batch_bytes_max: int = Field(
        16 * 1024 * 1024,
        ge=1024,
        description="Largest batch request in bytes, as it came and decompressed.",
    )
    in_flight_bytes_max: int = Field(
        256 * 1024 * 1024,
        ge=1024,
        description="Bytes of requests that one process may have in hand; past it 503. One tenant's"
        " slow bodies and batches hold at most what they leave free.",
    )
    tenant_rate: Rate = Rate()
    tenant_rates: dict[str, Rate] = Field(
        default_factory=dict,
        description="Other rates by tenant, as JSON; a member left out has its default.",
    )
    subscriptions_per_tenant_max: int = Field(
        1000, ge=1, le=100_000, description="Most subscriptions of one tenant; past it 405."
    )
    ack_timeout_s: float = Field(
        ACK_TIMEOUT_S,
        gt=0,
        description="How long a POST waits for Kafka before it answers 503; longer than a dead broker's"
        " session (`broker.session.timeout.ms`, 9 s) and the election after it.",
    )
    waiting_bytes_max: int = Field(
        32 * 1024 * 1024, gt=0, description="Bytes that may wait for one Kafka partition."
    )
