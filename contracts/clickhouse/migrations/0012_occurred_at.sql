-- When it happened, as the sender says in the key attribute `timestamp`: "since when" is asked about that,
-- not about when it was loaded. What is no time is null, and so is one that cannot be: before 2000, where
-- clocks begin that were never set, or more than a day after receipt, which no zone and no skew explains.
-- So nothing occurred later than a day after it was received, which searches rely on. The text stays in
-- key_attributes. No text may make it fail, in whichever branch: inserts would stop. Rows from before compute it when they are read.

ALTER TABLE {database}.events{on_cluster}
    ADD COLUMN IF NOT EXISTS occurred_at Nullable(DateTime64(3, 'UTC'))
        MATERIALIZED if(
            (multiIf(
                length(trimBoth(key_attributes['timestamp']) AS occurred_text) NOT BETWEEN 9 AND 40, NULL,
                -- RFC 3339, and with a blank, a comma, no seconds or no zone, which is then UTC
                match(occurred_text, concat(
                    $re$^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$re$,
                    $re$[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]$re$,
                    $re$(?::(?:[0-5][0-9]|60)(?:[.,][0-9]{1,9})?)?$re$,
                    $re$ ?(?:[Zz]|UTC|GMT|[+-](?:0[0-9]|1[0-4]):?[0-5][0-9])?$$re$)),
                parseDateTime64BestEffortOrNull(replaceOne(upper(occurred_text), ',', '.'), 3, 'UTC'),
                -- RFC 2822, as in mail and HTTP
                match(occurred_text, concat(
                    $re$^(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?(?:0?[1-9]|[12][0-9]|3[01]) $re$,
                    $re$(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} $re$,
                    $re$(?:[01][0-9]|2[0-3]):[0-5][0-9](?::(?:[0-5][0-9]|60))? $re$,
                    $re$(?:UTC|GMT|[+-](?:0[0-9]|1[0-4])[0-5][0-9])$$re$)),
                parseDateTime64BestEffortOrNull(occurred_text, 3, 'UTC'),
                -- seconds and milliseconds since 1970
                match(occurred_text, $re$^[0-9]{9,10}(?:[.][0-9]{1,9})?$$re$),
                fromUnixTimestamp64Milli(toInt64(toDecimal64OrZero(extract(occurred_text,
                    $re$^([0-9]{9,10}(?:[.][0-9]{1,3})?)[0-9]*$$re$), 3) * 1000), 'UTC'),
                match(occurred_text, $re$^[0-9]{12,13}$$re$),
                fromUnixTimestamp64Milli(toInt64OrZero(occurred_text), 'UTC'),
                NULL) AS occurred_time)
            BETWEEN toDateTime64('2000-01-01 00:00:00', 3, 'UTC') AND received_at + INTERVAL 1 DAY,
            occurred_time, NULL)
        CODEC(ZSTD(1)) COMMENT 'When it happened: key_attributes[''timestamp''] as a time, null if it is none that can be';

CREATE OR REPLACE VIEW {database}.entity_timeline{on_cluster}
(
    tenant LowCardinality(String) COMMENT 'Tenant that posted the event',
    entity_id String COMMENT 'Entity that the event is about',
    entity_name Nullable(String) COMMENT 'Name of the entity, if given',
    time DateTime64(3, 'UTC') COMMENT 'When the edge accepted it',
    what String COMMENT 'What happened, in words: UPDATE of ORDER failed with 502: ...',
    event_type LowCardinality(String) COMMENT 'ENTITY_EVENT, SYSTEM_EVENT, FAULT or WARNING',
    event_source LowCardinality(String) COMMENT 'Kind of entity, or APPLICATION',
    operation LowCardinality(String) COMMENT 'What was being done',
    id UUID COMMENT 'Event id, for GET /api/v1/events/{eventId}',
    correlation_id String COMMENT 'key_attributes[''correlationId''], empty if not given',
    fingerprint String COMMENT 'Kind of failure, as in the view faults; empty for no failure',
    occurred_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it happened, as its sender says; null if he does not'
)
AS SELECT
    tenant,
    entity_id,
    entity_name,
    received_at AS time,
    concat(
        operation, ' of ', event_source,
        multiIf(
            event_type = 'FAULT', ' failed',
            event_type = 'WARNING', ' with a warning',
            event_type = 'SYSTEM_EVENT', ' (system)',
            ''),
        if(fault_status > 0, concat(' with ', toString(fault_status)), ''),
        if(notEmpty(fault_message), concat(': ', fault_message), '')
    ) AS what,
    event_type,
    event_source,
    operation,
    id,
    key_attributes['correlationId'] AS correlation_id,
    fault_fingerprint AS fingerprint,
    occurred_at
FROM {database}.events FINAL
SETTINGS use_skip_indexes_if_final_exact_mode = 0
COMMENT 'What happened to an entity: filter by tenant and entity_id, order by time';
