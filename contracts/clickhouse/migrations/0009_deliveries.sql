-- The ledger: a row is a record of the topic `deliveries`, what became of one delivery at one time.
-- A day's rows lie together, so that what has expired goes by whole parts and nothing is rewritten.

CREATE TABLE IF NOT EXISTS {database}.deliveries{on_cluster}
(
    tenant LowCardinality(String) COMMENT 'Tenant of the event and of the subscription',
    subscription_id UUID CODEC(ZSTD(1)) COMMENT 'Subscription that the delivery is for',
    at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'When this was so',
    state Enum8('delivered' = 1, 'failed' = 2, 'dead' = 3, 'cancelled' = 4, 'opened' = 5, 'closed' = 6, 'behind' = 7)
        COMMENT 'delivered; failed: will be tried again; dead: given up; cancelled: its subscription was disabled or deleted; opened, closed: the circuit breaker of the subscription; behind: it may lack what it accepts of a range. The last three are of no event',
    event_id UUID CODEC(ZSTD(1)) COMMENT 'Event that was to be delivered; all zeros where the row is of no single one',
    event_partition Int32 CODEC(ZSTD(1)) COMMENT 'Partition of the event''s record on `events`; -1 for none',
    event_offset Int64 CODEC(Delta, ZSTD(1)) COMMENT 'Offset of it, or of the first of a range; -1 for none',
    until_offset Int64 CODEC(ZSTD(1)) COMMENT 'Of a range that was cancelled, left Kafka undelivered, or waits, the offset after its last; else -1',
    since DateTime64(3, 'UTC') CODEC(ZSTD(1)) COMMENT 'Of a range that waits since when; 1970 for others',
    attempt UInt32 CODEC(ZSTD(1)) COMMENT 'How often it has been sent by now, from 1; 0 when it never was',
    origin Enum8('automatic' = 1, 'manual' = 2, 'replay' = 3) COMMENT 'What sent it: the event itself, a redrive or a replay',
    destination LowCardinality(String) COMMENT 'ARN of the queue',
    latency_ms UInt32 CODEC(ZSTD(1)) COMMENT 'How long the call took that it went with',
    code LowCardinality(String) COMMENT 'Error code, the destination''s own; empty for none',
    message String CODEC(ZSTD(1)) COMMENT 'What the destination said, its own words',
    message_id String CODEC(ZSTD(1)) COMMENT 'Id that the queue gave the message',
    job_id LowCardinality(String) COMMENT 'Redrive or replay that sent it; empty for none',
    exhausted LowCardinality(String) COMMENT 'Of a dead one the bound that was reached; empty where the destination refused it for ever',
    kafka_log UInt32 CODEC(ZSTD(1)) COMMENT 'Number of the log that has the record, see the table delivery_logs',
    kafka_partition UInt32 CODEC(ZSTD(1)) COMMENT 'Partition of the record on `deliveries`',
    kafka_offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'Offset of the record on `deliveries`',
    INDEX by_event event_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_state state TYPE set(8) GRANULARITY 1,
    INDEX by_offset kafka_offset TYPE minmax GRANULARITY 16
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toDate(at)
ORDER BY (tenant, subscription_id, at, kafka_log, kafka_partition, kafka_offset)
TTL at + toIntervalDay(30) -- the settings decide
SETTINGS ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, merge_with_ttl_timeout = 3600,
    min_bytes_for_wide_part = 67108864,
    merge_selector_base = 10
COMMENT 'Every attempt to deliver an event, and every change of a circuit breaker';

CREATE TABLE IF NOT EXISTS {database}.delivery_logs{on_cluster}
(
    number UInt32 COMMENT 'Number of the log, kafka_log of its rows',
    topic_id UUID COMMENT 'Id of the topic `deliveries` in Kafka (KIP-516): one made anew has another',
    accepted_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the first of it was stored'
)
ENGINE = {replicated}ReplacingMergeTree
ORDER BY (number, topic_id)
COMMENT 'Logs whose records are in the table deliveries; written by ledger';

-- The newest is the one of the latest time: offsets do not compare where partitions were added since. Two
-- attempts are a second apart or more, so the clocks of two processes need not be the same.
-- Only deliveries that ever failed are grouped, so that the many that did not are not held in memory.
CREATE VIEW IF NOT EXISTS {database}.undelivered{on_cluster}
(
    tenant LowCardinality(String) COMMENT 'Tenant of the event',
    subscription_id UUID COMMENT 'Subscription that has not got it',
    event_id UUID COMMENT 'The event; all zeros for a range of them that left Kafka before',
    state Enum8('failed' = 2, 'dead' = 3) COMMENT 'failed: it will be tried again; dead: it was given up',
    since DateTime64(3, 'UTC') COMMENT 'When the first attempt ended',
    last_at DateTime64(3, 'UTC') COMMENT 'When the latest did',
    attempts UInt32 COMMENT 'How often it was sent',
    code LowCardinality(String) COMMENT 'Error code of the latest',
    message String COMMENT 'What the destination said at the latest',
    exhausted LowCardinality(String) COMMENT 'Of a dead one the bound that was reached, if it was one',
    destination LowCardinality(String) COMMENT 'ARN of the queue'
)
AS SELECT
    tenant, subscription_id, event_id, if(last.1 = 'dead' OR has(ended, 'dead'), 'dead', 'failed') AS state,
    since, last_at, attempts, last.2 AS code, last.3 AS message, last.4 AS exhausted, last.5 AS destination,
    arrayMap(range -> range.4, arrayFilter(
        range -> range.1 <= event_offset AND event_offset < range.2 AND last_at <= range.3, ranges)) AS ended
FROM (
    SELECT
        tenant, subscription_id, event_id, min(at) AS since, max(at) AS last_at, max(attempt) AS attempts,
        argMax((state, code, message, exhausted, destination), (at, kafka_log, kafka_offset)) AS last,
        any(deliveries.event_partition) AS event_partition, any(deliveries.event_offset) AS event_offset
    FROM {database}.deliveries
    WHERE (tenant, subscription_id, event_id) IN (
        SELECT tenant, subscription_id, event_id FROM {database}.deliveries WHERE state IN ('failed', 'dead'))
    GROUP BY tenant, subscription_id, event_id, if(until_offset >= 0, (kafka_partition, kafka_offset), (0, 0))
    HAVING last.1 IN ('failed', 'dead')
) AS open
LEFT JOIN (
    SELECT
        tenant, subscription_id, event_partition,
        groupUniqArray((deliveries.event_offset, until_offset, at, toString(state))) AS ranges
    FROM {database}.deliveries
    WHERE state IN ('cancelled', 'dead') AND until_offset >= 0
    GROUP BY tenant, subscription_id, event_partition
) AS ranges USING (tenant, subscription_id, event_partition)
WHERE last.1 = 'dead' OR NOT has(ended, 'cancelled')
COMMENT 'What a subscription matched and its queue has not got: failed or dead, one row per event and subscription';

CREATE VIEW IF NOT EXISTS {database}.delivery_latency{on_cluster}
(
    tenant LowCardinality(String) COMMENT 'Tenant of the events',
    subscription_id UUID COMMENT 'Subscription',
    minute DateTime('UTC') COMMENT 'Minute of delivery, its beginning',
    delivered UInt64 COMMENT 'Deliveries of that minute',
    call_p50_ms Float64 COMMENT 'Median of how long the call to the queue took',
    call_p99_ms Float64 COMMENT 'And its 99th percentile',
    received_p50_ms Float64 COMMENT 'Median from receipt to delivery; nan where no event''s id tells its receipt',
    received_p99_ms Float64 COMMENT 'And its 99th percentile'
)
AS SELECT
    tenant, subscription_id, minute, count() AS delivered,
    quantile(0.5)(latency_ms) AS call_p50_ms,
    quantile(0.99)(latency_ms) AS call_p99_ms,
    quantileIf(0.5)(taken_ms, is_timed) AS received_p50_ms,
    quantileIf(0.99)(taken_ms, is_timed) AS received_p99_ms
FROM (
    SELECT
        tenant, subscription_id, toStartOfMinute(at) AS minute, latency_ms,
        toUnixTimestamp64Milli(at) - toInt64(bitShiftRight(toUInt128(event_id), 80)) AS taken_ms,
        -- an id of version 7 has the time of receipt in it; a replay would count what lies between
        bitAnd(bitShiftRight(toUInt128(event_id), 76), 15) = 7 AND origin = 'automatic' AS is_timed
    FROM {database}.deliveries FINAL
    WHERE state = 'delivered'
)
GROUP BY tenant, subscription_id, minute
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'How long deliveries take, by subscription and minute';

CREATE VIEW IF NOT EXISTS {database}.destination_health{on_cluster}
(
    tenant LowCardinality(String) COMMENT 'Tenant',
    subscription_id UUID COMMENT 'Subscription',
    destination LowCardinality(String) COMMENT 'ARN of its queue, as of the latest record',
    breaker Enum8('opened' = 5, 'closed' = 6) COMMENT 'Its circuit breaker: while it is open only single calls try the queue',
    breaker_since Nullable(DateTime64(3, 'UTC')) COMMENT 'Since when; null where it never was open',
    last_at DateTime64(3, 'UTC') COMMENT 'Its latest record',
    last_error_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When something failed last; null for never',
    last_error_code LowCardinality(String) COMMENT 'Its error code',
    last_error_message String COMMENT 'What the destination said then',
    delivered_last_hour UInt64 COMMENT 'Deliveries of the last hour',
    failed_last_hour UInt64 COMMENT 'Failed attempts of the last hour',
    dead_last_hour UInt64 COMMENT 'Given up in the last hour',
    waiting UInt64 COMMENT 'Events that failed and will be tried again',
    behind_records UInt64 COMMENT 'Records of the log that it has not been served yet: it may accept any of them',
    behind_since Nullable(DateTime64(3, 'UTC')) COMMENT 'Since when it lags behind the log; null when it does not',
    dead UInt64 COMMENT 'Events that were given up',
    oldest_undelivered Nullable(DateTime64(3, 'UTC')) COMMENT 'First attempt of the oldest that failed, or since when it lags behind, if that is earlier'
)
AS SELECT
    tenant, subscription_id, destination, breaker, breaker_since, last_at, last_error_at,
    last_error.1 AS last_error_code, last_error.2 AS last_error_message,
    delivered_last_hour, failed_last_hour, dead_last_hour, waiting, behind_records, behind_since, dead,
    if(waiting = 0, behind_since, if(behind_since < oldest, behind_since, oldest)) AS oldest_undelivered
FROM (
    SELECT
        tenant, subscription_id,
        argMaxIf(deliveries.destination, at, notEmpty(deliveries.destination)) AS destination,
        if(countIf(state IN ('opened', 'closed')) = 0, 'closed',
            toString(argMaxIf(state, (at, kafka_offset), state IN ('opened', 'closed')))) AS breaker,
        maxOrNullIf(at, state IN ('opened', 'closed')) AS breaker_since,
        max(at) AS last_at,
        maxOrNullIf(at, state IN ('failed', 'dead', 'opened')) AS last_error_at,
        argMaxIf((code, message), at, state IN ('failed', 'dead', 'opened')) AS last_error,
        countIf(state = 'delivered' AND at > now() - INTERVAL 1 HOUR) AS delivered_last_hour,
        countIf(state = 'failed' AND at > now() - INTERVAL 1 HOUR) AS failed_last_hour,
        countIf(state = 'dead' AND at > now() - INTERVAL 1 HOUR) AS dead_last_hour
    FROM {database}.deliveries FINAL
    GROUP BY tenant, subscription_id
) AS seen
LEFT JOIN (
    SELECT
        tenant, subscription_id, countIf(state = 'failed') AS waiting, countIf(state = 'dead') AS dead,
        minIf(since, state = 'failed') AS oldest
    FROM {database}.undelivered
    GROUP BY tenant, subscription_id
) AS open USING (tenant, subscription_id)
LEFT JOIN (
    SELECT
        tenant, subscription_id, sum(last.2 - last.1) AS behind_records,
        minOrNullIf(last.3, last.2 > last.1) AS behind_since
    FROM (
        SELECT
            tenant, subscription_id, event_partition,
            argMax((deliveries.event_offset, until_offset, since), (at, kafka_log, kafka_offset)) AS last
        FROM {database}.deliveries WHERE state = 'behind'
        GROUP BY tenant, subscription_id, event_partition
    )
    GROUP BY tenant, subscription_id
) AS behind USING (tenant, subscription_id)
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'How each subscription''s queue does: breaker, last error, the last hour, what waits';
