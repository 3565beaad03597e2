-- The events table. The second statement is for a table that was made before there were migrations.

CREATE TABLE IF NOT EXISTS {database}.events{on_cluster}
(
    tenant LowCardinality(String) COMMENT 'Tenant that posted the event',
    id UUID COMMENT 'Event id, unique within the tenant; a version 7 carries its time',
    received_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'When the edge accepted it',
    event_type LowCardinality(String) COMMENT 'ENTITY_EVENT, SYSTEM_EVENT, FAULT or WARNING',
    event_source LowCardinality(String) COMMENT 'Kind of entity, or APPLICATION',
    operation LowCardinality(String) DEFAULT event_payload.operation COMMENT 'What was being done',
    entity_id String CODEC(ZSTD(1)) COMMENT 'Entity that the event is about',
    entity_name Nullable(String) CODEC(ZSTD(1)) COMMENT 'Name of the entity, if given',
    payload_entity_id String DEFAULT event_payload.entity_id CODEC(ZSTD(1))
        COMMENT 'Entity id inside the payload part, usually the same',
    key_attributes Map(LowCardinality(String), String) DEFAULT event_payload.key_attributes
        CODEC(ZSTD(1)) COMMENT 'Correlation id, reference id and the like, by name',
    payload Nullable(String) DEFAULT base64Decode(event_payload.base64_encoded_payload_json)
        CODEC(ZSTD(1)) COMMENT 'Payload, decoded; usually JSON',
    fault Nullable(String) DEFAULT base64Decode(event_payload.base64_encoded_fault_json)
        CODEC(ZSTD(1)) COMMENT 'Fault, decoded; usually JSON',
    kafka_partition UInt32 CODEC(ZSTD(1)) COMMENT 'Partition of the record in the log',
    kafka_offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'Offset of the record in the log',
    precedence Int64 DEFAULT -toUnixTimestamp64Milli(received_at) CODEC(DoubleDelta, ZSTD(1))
        COMMENT 'Of two rows with one id the higher stays: the one received first',
    event_payload Tuple(
        base64_encoded_fault_json Nullable(String),
        base64_encoded_payload_json Nullable(String),
        entity_id String,
        key_attributes Map(String, String),
        operation String) EPHEMERAL COMMENT 'As inserted; its parts are the columns above',
    CONSTRAINT id_is_given CHECK id != toUUID('00000000-0000-0000-0000-000000000000'),
    CONSTRAINT entity_id_is_given CHECK notEmpty(entity_id) AND notEmpty(payload_entity_id),
    CONSTRAINT event_type_is_known CHECK event_type IN ('ENTITY_EVENT', 'SYSTEM_EVENT', 'FAULT', 'WARNING'),
    CONSTRAINT event_source_is_known CHECK event_source IN ('APPLICATION', 'CUSTOMER', 'INVENTORY_LEVEL', 'INVENTORY_LOCATION', 'ORDER', 'PRICE', 'PRODUCT', 'VARIANT_PRODUCT', 'WISHLIST'),
    CONSTRAINT operation_is_known CHECK operation IN ('BULK_CREATE', 'BULK_UPDATE', 'CREATE', 'DELETE', 'READ', 'UPDATE'),
    INDEX by_time received_at TYPE minmax GRANULARITY 16,
    INDEX by_offset kafka_offset TYPE minmax GRANULARITY 16
)
ENGINE = {replicated}ReplacingMergeTree(precedence)
PARTITION BY toYYYYMM(received_at)
ORDER BY (tenant, toUInt128(id))
SETTINGS index_granularity = 256,
    merge_selector_base = 10, -- fewer, larger merges: they cost as much as the inserts themselves
    vertical_merge_algorithm_min_rows_to_activate = 1 -- only the key is compared row by row
COMMENT 'Every accepted event, one row per (tenant, id)';

ALTER TABLE {database}.events{on_cluster}
    ADD CONSTRAINT IF NOT EXISTS id_is_given CHECK id != toUUID('00000000-0000-0000-0000-000000000000'),
    ADD CONSTRAINT IF NOT EXISTS entity_id_is_given CHECK notEmpty(entity_id) AND notEmpty(payload_entity_id),
    ADD CONSTRAINT IF NOT EXISTS event_type_is_known CHECK event_type IN ('ENTITY_EVENT', 'SYSTEM_EVENT', 'FAULT', 'WARNING'),
    ADD CONSTRAINT IF NOT EXISTS event_source_is_known CHECK event_source IN ('APPLICATION', 'CUSTOMER', 'INVENTORY_LEVEL', 'INVENTORY_LOCATION', 'ORDER', 'PRICE', 'PRODUCT', 'VARIANT_PRODUCT', 'WISHLIST'),
    ADD CONSTRAINT IF NOT EXISTS operation_is_known CHECK operation IN ('BULK_CREATE', 'BULK_UPDATE', 'CREATE', 'DELETE', 'READ', 'UPDATE');
