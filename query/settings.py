"""Settings of the query service, read from the environment once, by `__main__`."""

from pydantic import Field

from contracts.clickhouse.schema import ClusterSettings
from service.connections import ACK_TIMEOUT_S, Access, ClickHouseConnection, Http, KafkaConnection
from service.settings import Settings


class QuerySettings(Settings):
    """The query service."""

    http: Http = Http()
    clickhouse: ClickHouseConnection = ClickHouseConnection()
    tables: ClusterSettings = ClusterSettings()
    access: Access = Access()
    kafka: KafkaConnection = KafkaConnection()
    ack_timeout_s: float = Field(
        ACK_TIMEOUT_S,
        gt=0,
        description="How long an erasure waits for Kafka before it is answered 503.",
    )
    recent_s: float = Field(
        60,
        ge=0,
        description="An id made within this time may not be visible yet: GET waits for it.",
    )
    visible_timeout_s: float = Field(
        5,
        ge=0,
        description="How long GET waits for a recent id before 404, and DELETE for the view before 204.",
    )
    log_read_bytes_max: int = Field(
        1024 * 1024,
        ge=0,
        le=64 * 1024 * 1024,
        description="What a GET may read of one partition in Kafka for an event that is not visible yet"
        " (bytes); 0: nothing, it waits.",
    )
    lookup_ids_max: int = Field(
        100, ge=1, le=1000, description="Waiting GETs that one ClickHouse query answers."
    )
    lookup_queries_max: int = Field(
        1,
        ge=1,
        le=64,
        description="Lookup queries that run in ClickHouse at once; one at a time joins most GETs.",
    )
    lookup_waiting_max: int = Field(
        10_000, ge=1, description="GETs that may wait; more are answered 503."
    )
    search_days: float = Field(
        7, gt=0, le=3650, description="Days that a search without `from` goes back."
    )
    search_rows_max: int = Field(
        10_000_000,
        ge=1000,
        description="Rows that a query of a search may read, or it looks at a shorter time, and a count of"
        " more than a day, or it is 400.",
    )
    search_timeout_s: float = Field(
        5, gt=0, description="Deadline of one page of a search, and of its wait before; then 503."
    )
    search_threads: int = Field(
        2, ge=1, le=64, description="Threads of ClickHouse that one search uses."
    )
    search_queries_max: int = Field(
        2, ge=1, le=64, description="Searches that run in ClickHouse at once."
    )
    search_waiting_max: int = Field(
        100,
        ge=1,
        description="Searches that may wait; more are 503, of one tenant when 3/4 of these wait.",
    )
