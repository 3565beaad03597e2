-- Which events were erased: nothing of the event but its id. Kept for ever, so longer than any log
-- that may be replayed; a rebuild leaves out what is here.

CREATE TABLE IF NOT EXISTS {database}.erasures{on_cluster}
(
    tenant LowCardinality(String) COMMENT 'Tenant of the event',
    id UUID COMMENT 'Id of the event that was erased',
    erased_at DateTime64(3, 'UTC') COMMENT 'When the erasure was asked for',
    kafka_partition UInt32 COMMENT 'Partition of the tombstone in the log',
    kafka_offset UInt64 COMMENT 'Offset of the tombstone in the log'
)
ENGINE = {replicated}ReplacingMergeTree
ORDER BY (tenant, id, kafka_partition, kafka_offset)
COMMENT 'Events that were erased, one row per tombstone in the log';
