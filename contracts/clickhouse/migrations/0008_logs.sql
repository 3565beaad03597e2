-- The log has a name, and what was proven stays true: positions are of one log, an erasure is final, of
-- two rows the one stays that the log's order left.

ALTER TABLE {database}.events{on_cluster}
    ADD COLUMN IF NOT EXISTS kafka_log UInt32 CODEC(ZSTD(1))
        COMMENT 'Number of the log that has the record, see the table logs' AFTER fault;

-- Two unequal rows of one id are there only when the earlier one had expired before the later came:
-- that one stays. Offsets do not say which it is: the later may lie in another partition, or another log.
-- Rows from before this migration have negative values, so they give way.
ALTER TABLE {database}.events{on_cluster}
    MODIFY COLUMN precedence Int64 DEFAULT toUnixTimestamp64Milli(received_at) CODEC(DoubleDelta, ZSTD(1))
        COMMENT 'Of two rows with one id the higher stays';

ALTER TABLE {database}.events{on_cluster}
    ADD COLUMN IF NOT EXISTS expires_at Nullable(DateTime64(3, 'UTC')) ALIAS NULL
        COMMENT 'When the retention of the event ends; null when it is kept for ever';

-- What was noted before this migration is owed until it was looked at: until then that was remembered in
-- memory alone, and lost with a process that was killed.
ALTER TABLE {database}.erasures{on_cluster}
    ADD COLUMN IF NOT EXISTS final Bool COMMENT 'Whether what is posted under the id later stays away too',
    ADD COLUMN IF NOT EXISTS owed Bool DEFAULT true COMMENT 'Whether the row was still to be taken away when this was noted';

CREATE TABLE IF NOT EXISTS {database}.logs{on_cluster}
(
    number UInt32 COMMENT 'Number of the log, kafka_log of its rows',
    topic_id UUID COMMENT 'Id of the topic in Kafka (KIP-516): a topic made anew has another one',
    accepted_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was accepted'
)
ENGINE = {replicated}ReplacingMergeTree
ORDER BY (number, topic_id)
COMMENT 'Logs whose records are in the table events; written by materialize and events accept-log';
