-- The events table: a row is a decoded event and its position in the log.

CREATE TABLE IF NOT EXISTS {database}.events{on_cluster}
(
    tenant LowCardinality(String) COMMENT 'Tenant that posted the event',
    id UUID COMMENT 'Event id, unique within the tenant; a version 7 carries its time',
    received_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'When the edge accepted it',
    event_type LowCardinality(String) COMMENT 'ENTITY_EVENT, SYSTEM_EVENT, FAULT or WARNING',
    event_source LowCardinality(String) COMMENT 'Kind of entity, or APPLICATION',
    operation LowCardinality(String) COMMENT 'What was being done',
    entity_id String CODEC(ZSTD(1)) COMMENT 'Entity that the event is about',
    entity_name Nullable(String) CODEC(ZSTD(1)) COMMENT 'Name of the entity, if given',
    payload_entity_id String CODEC(ZSTD(1))
        COMMENT 'Entity id inside the payload part, usually the same',
    key_attributes Map(LowCardinality(String), String)
        CODEC(ZSTD(1)) COMMENT 'Correlation id, reference id and the like, by name',
    payload Nullable(String) CODEC(ZSTD(1)) COMMENT 'Payload, decoded; usually JSON',
    fault Nullable(String) CODEC(ZSTD(1)) COMMENT 'Fault, decoded; usually JSON',
    kafka_partition UInt32 CODEC(ZSTD(1)) COMMENT 'Partition of the record in the log',
    kafka_offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'Offset of the record in the log',
    precedence Int64 DEFAULT -toUnixTimestamp64Milli(received_at) CODEC(DoubleDelta, ZSTD(1))
        COMMENT 'Of two rows with one id the higher stays: the one received first',
    INDEX by_time received_at TYPE minmax GRANULARITY 16,
    INDEX by_offset kafka_offset TYPE minmax GRANULARITY 16
)
ENGINE = {replicated}ReplacingMergeTree(precedence)
PARTITION BY toYYYYMM(received_at)
ORDER BY (tenant, toUInt128(id))
SETTINGS index_granularity = 256,
    min_bytes_for_wide_part = 67108864, -- an insert's part is few files: making files cost half of it
    merge_selector_base = 10, -- fewer, larger merges: they cost as much as the inserts themselves
    vertical_merge_algorithm_min_rows_to_activate = 1 -- only the key is compared row by row
COMMENT 'Every accepted event, one row per (tenant, id)';
