-- Failures of one kind are those that a person would put into one group: of the same status and
-- message. Source and operation are told beside it. Of the message what varies is blanked, what names
-- is kept. Rows that are there already get the new values by a mutation in the background.

ALTER TABLE {database}.events{on_cluster}
    ADD COLUMN IF NOT EXISTS fault_name String
        ALIAS if(match(ifNull(fault, ''), $re$^\s*[\[{]$re$), extract(toValidUTF8(ifNull(fault, '')), concat(
            $re$"(?:exception|exceptionType|ExceptionType|__type|code|Code|errorCode|error_code$re$,
            $re$|errorcode|name|type|status|error)"\s*:\s*"$re$,
            -- NullPointerException, resource_missing, NOT_FOUND, ERR_BAD_REQUEST, ThrottlingException
            $re$([a-zA-Z_.]*(?:[eE]rror|[eE]xception|[A-Za-z]_[A-Za-z]|[A-Z]{4})[\w.]*)"$re$)), '')
        COMMENT 'Exception or code that a fault in JSON names, empty for none',
    ADD COLUMN IF NOT EXISTS fault_line String
        ALIAS multiIf(
            match(toValidUTF8(ifNull(fault, '')) AS fault_text, $re$^\s*[\[{]$re$),
            multiIf(
                -- JSON: its message, or one further inside; where it was broken off, what there is
                notEmpty((JSONExtract(fault_text, 'Tuple(
                    message String, title String, errors String, error String)') AS fields).1)
                    AND NOT match(fields.1, $re$^[\[{]$re$), fields.1,
                notEmpty(extract(fault_text, concat(
                    $re$"(?:message|Message|msg|errorMessage|error_message|ErrorMessage|ExceptionMessage$re$,
                    $re$|faultstring|error_description|detail|details)"\s*:\s*$re$,
                    $re$(?:\{[^{}]*"value"\s*:\s*)?"((?:[^"\\]|\\.)+)$re$)) AS inner_text),
                ifNull(nullIf(JSONExtractString(concat('{"t":"', inner_text, '"}'), 't'), ''), inner_text),
                -- errors by field, and what they are about
                match(fields.3, '[A-Za-z]{2}'),
                concat(fields.2, if(empty(fields.2), '', ' '), replaceRegexpAll(
                    replaceRegexpAll(fields.3, $re$"\s*:\s*$re$, ': '), $re$[\[\]{}"]|\\[nrt]?$re$, '')),
                match(fields.4, $re$^[^\[{]{6}$re$), fields.4,
                notEmpty(extract(fault_text, concat(
                    $re$"(?:reason|title|description|error|text|cause)"\s*:\s*$re$,
                    $re$"((?:[^"\\]|\\.)+)$re$)) AS other_text), other_text,
                notEmpty(fault_name), '',
                -- none: the names of its members
                concat(if(isValidJSON(fault_text), 'JSON without a message: ', 'Broken JSON with '),
                    arrayStringConcat(arraySlice(
                        extractAll(fault_text, $re$"([\w.-]+)"\s*:$re$), 1, 10), ', '))),
            -- HTML and XML: title, heading, the text of a SOAP fault; else all that is no tag
            match(fault_text, $re$^\s*<$re$),
            decodeXMLComponent(if(
                notEmpty(extract(fault_text, concat(
                    $re$(?is)<(?:\w+:)?(?:title|h1|faultstring|text|message|reason|errormessage)$re$,
                    $re$(?:\s[^>]*)?>\s*([^<]*[^<\s])$re$)) AS marked_text),
                marked_text,
                replaceRegexpAll(substringUTF8(fault_text, 1, 1000), '<[^>]*>', ' '))),
            -- Python tells the error in the last line, others in the first
            position(fault_text, 'Traceback (most recent call last)') > 0,
            extract(fault_text, $re$(?s).*\n(\w[^\n]*)$re$),
            startsWith(fault_text, '"') AND isValidJSON(fault_text),
            JSONExtractString(fault_text),
            fault_text)
        COMMENT 'What the fault says, for people, as it came',
    MODIFY COLUMN fault_status UInt16
        MATERIALIZED if(isNull(fault), 0, multiIf(
            -- a member of the JSON itself, or one further inside
            (JSONExtract(ifNull(fault, ''), 'Tuple(
                status UInt16, statusCode UInt16, status_code UInt16, code UInt16)')
                AS status_fields).1 BETWEEN 100 AND 599, status_fields.1,
            status_fields.2 BETWEEN 100 AND 599, status_fields.2,
            status_fields.3 BETWEEN 100 AND 599, status_fields.3,
            status_fields.4 BETWEEN 100 AND 599, status_fields.4,
            match(ifNull(fault, ''), $re$^\s*[\[{]$re$),
            toUInt16OrZero(extract(ifNull(fault, ''), concat(
                $re$"(?:status|statusCode|status_code|httpStatus|httpStatusCode|http_status|code)"$re$,
                $re$\s*:\s*"?([1-5][0-9]{2})\b$re$))),
            -- what a text says, or a page's title
            toUInt16OrZero(extract(substring(ifNull(fault, ''), 1, 1000), concat(
                $re$(?:(?i:\bhttp(?:/[0-9.]+)?|\bstatus(?: ?code)?|<title>(?:[^<]*?\b)??)[ :=]*|^|: )$re$,
                $re$([1-5][0-9]{2})\b(?: [A-Za-z]|:|$)$re$)))))
        CODEC(ZSTD(1)) COMMENT 'HTTP status that the fault names, 0 for none',
    MODIFY COLUMN fault_message LowCardinality(String)
        MATERIALIZED if(isNull(fault), '',
            -- one line without a stack; then U+0002 ... U+0003 for what is kept, U+0001 for what varies
            replaceRegexpAll(replaceAll(replaceAll(replaceAll(replaceRegexpAll(
                toLowCardinality(trimBoth(replaceRegexpAll(substringUTF8(
                    concat(
                        if(empty(fault_name) OR position(fault_line, fault_name) > 0, '',
                            if(empty(fault_line), fault_name, concat(fault_name, ': '))),
                        replaceRegexpOne(fault_line, $re$(?s)\s*\n\s+at .*$re$, '')),
                    1, 400), $re$[\s\x00-\x1f]+$re$, ' '))),
                concat(
                    $re$\b[a-z][a-z0-9+]*://[^\s"'<>)\]]+$re$,                                 -- URLs
                    $re$|["'`]?[\w.+-]+@[\w-]+\.[\w.-]*\w["'`]?$re$,                           -- mail addresses
                    -- kept: names of classes, without the hash that Java shows of an object
                    $re$|(\b(?:[A-Za-z_]\w*\.)+[A-Z][\w$]*$re$,
                    $re$|\b(?:com|org|net|io|java|javax|jakarta)\.[a-z_]\w*(?:\.\w+)+)(?:@[0-9a-f]{4,8}\b)?$re$,
                    $re$|["'`]?\b(?:(?:[a-z0-9-]+\.)+(?:com|net|org|io|dev|app|cloud|example|local$re$,
                    $re$|internal|test|eu|de|uk|fr|nl|au|nz|ch|se|dk|fi|pl|jp|cn|br|ie)$re$,   -- hosts
                    $re$|(?:[a-z0-9-]+\.){2,}(?:at|be|us|es|it|ca|no|in))\b(?::[0-9]+)?["'`]?$re$,
                    -- what is a value by the words before it
                    $re$|((?i:\b(?:entry|value|token)s? |\b(?:literal|string|input|syntax)[^'":]{0,40}: ))$re$,
                    $re$(?:"[^"]*"|'[^']*'|`[^`]*`)$re$,
                    -- kept: quoted names, numbers of errors and encodings
                    $re$|(["'`](?:[A-Za-z_$]+[-.:/#])*[A-Za-z_$]+[0-9]{0,3}(?:_[a-z_]+)?(?:\([\w., ]*\))?["'`]$re$,
                    $re$|\b(?:ORA|TNS|PLS)-[0-9]+|\bSQLSTATE\W{0,2}\w{5}\b\W{0,3}[0-9]*|\bE1[0-9]{4}\b$re$,
                    $re$|(?i:\b(?:error|errno|status|code|http)[ :=#]{1,2}-?[0-9]{2,5}\b(?: \(\w{5}\))?)$re$,
                    $re$|\b[45](?:xx|[0-9]{2}(?: |: )[A-Z])$re$,
                    $re$|\b(?i:utf-?(?:8|16)|iso-8859-[0-9]+|sha-?[0-9]+|utf8mb4)\b)$re$,
                    -- other quoted values; numbers, times, addresses and ids
                    $re$|"[^"]*"|`[^`]*`|\B'[^']*'|(\)=\()[^)]*$re$,
                    $re$|\b(?:(?:\w+-)+\w*[0-9][\w-]*|\w*[0-9]\w*-[\w-]+)(?:[.:][0-9][\w-]*)*$re$,
                    $re$|\B::1\b(?::[0-9]+)?|\b[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{0,4}){3,7}\b$re$,
                    $re$|-?\b[0-9]\w*(?:[.,:/][0-9]\w*)*%?$re$,
                    $re$|\b[A-Za-z_]+(?:[0-9]+[A-Za-z_]+[0-9]|[0-9]{4})\w*$re$),
                concat($re$\2\4$re$, char(2), $re$\1\3$re$, char(3), char(1))),
                concat(char(2), char(3)), ''), concat(char(3), char(1)), ''), char(2), ''),
            $re$\x01(?:(?:, ?| )\x01)*$re$, '*'))
        CODEC(ZSTD(1)) COMMENT 'What the fault says in a line, numbers, ids, hosts and quoted values as *',
    MODIFY COLUMN fault_fingerprint String
        ALIAS if(event_type = 'FAULT' OR isNotNull(fault),
            lower(hex(cityHash64(fault_status, fault_message))), '')
        COMMENT 'The same for failures of one kind, as in the view faults; empty for no failure';

ALTER TABLE {database}.events{on_cluster}
    MATERIALIZE COLUMN fault_status, MATERIALIZE COLUMN fault_message;

CREATE OR REPLACE VIEW {database}.faults{on_cluster}
(
    tenant LowCardinality(String) COMMENT 'Tenant that posted the events',
    fingerprint String COMMENT 'The same for failures of one kind: hash of status and message',
    status UInt16 COMMENT 'HTTP status that the fault names, 0 for none',
    message LowCardinality(String) COMMENT 'What the fault says in a line, numbers, ids, hosts and quoted values as *; empty for a FAULT that says nothing',
    count UInt64 COMMENT 'Failures of this kind',
    first_seen DateTime64(3, 'UTC') COMMENT 'When the first was accepted',
    last_seen DateTime64(3, 'UTC') COMMENT 'When the latest was accepted',
    entities UInt64 COMMENT 'Entities that are affected; an estimate (about 1 % off) above 65,536',
    sample_id UUID COMMENT 'Id of the latest, to look at one',
    by_operation Map(String, UInt64) COMMENT 'How many of them by source and operation, as in ORDER UPDATE, most first'
)
AS SELECT
    tenant,
    lower(hex(cityHash64(fault_status, fault_message))) AS fingerprint,
    fault_status AS status,
    fault_message AS message,
    sum(failures) AS count,
    min(first) AS first_seen,
    max(latest) AS last_seen,
    uniqMerge(affected) AS entities,
    argMax(sample, latest) AS sample_id,
    CAST(arrayReverseSort(each -> each.2, groupArray((concat(event_source, ' ', operation), failures))),
        'Map(String, UInt64)') AS by_operation
FROM (
    SELECT tenant, fault_status, fault_message, event_source, operation,
        count() AS failures, min(received_at) AS first, max(received_at) AS latest,
        uniqState(entity_id) AS affected, argMax(id, received_at) AS sample
    FROM {database}.events FINAL
    WHERE event_type = 'FAULT' OR NOT fault.null -- which reads no fault, as isNotNull(fault) does under FINAL
    GROUP BY tenant, fault_status, fault_message, event_source, operation
)
GROUP BY tenant, fault_status, fault_message
SETTINGS use_skip_indexes_if_final_exact_mode = 0
COMMENT 'Failures by kind, over all that is kept: every FAULT, and every other event with a fault';

CREATE OR REPLACE VIEW {database}.faults_since{on_cluster}
AS SELECT
    tenant,
    lower(hex(cityHash64(fault_status, fault_message))) AS fingerprint,
    fault_status AS status,
    fault_message AS message,
    sum(failures) AS count,
    min(first) AS first_seen,
    max(latest) AS last_seen,
    uniqMerge(affected) AS entities,
    argMax(sample, latest) AS sample_id,
    CAST(arrayReverseSort(each -> each.2, groupArray((concat(event_source, ' ', operation), failures))),
        'Map(String, UInt64)') AS by_operation
FROM (
    SELECT tenant, fault_status, fault_message, event_source, operation,
        count() AS failures, min(received_at) AS first, max(received_at) AS latest,
        uniqState(entity_id) AS affected, argMax(id, received_at) AS sample
    FROM {database}.events FINAL
    WHERE (event_type = 'FAULT' OR NOT fault.null) AND received_at >= {since:DateTime64(3)}
    GROUP BY tenant, fault_status, fault_message, event_source, operation
)
GROUP BY tenant, fault_status, fault_message
SETTINGS use_skip_indexes_if_final_exact_mode = 0
COMMENT 'The view faults of what was accepted since: SELECT * FROM faults_since(since = now() - INTERVAL 1 HOUR)';

CREATE OR REPLACE VIEW {database}.fault_rate{on_cluster}
(
    tenant LowCardinality(String) COMMENT 'Tenant that posted the events',
    hour DateTime('UTC') COMMENT 'Hour of acceptance, its beginning',
    event_source LowCardinality(String) COMMENT 'Kind of entity, or APPLICATION',
    events UInt64 COMMENT 'Events of that hour and source',
    faults UInt64 COMMENT 'Those that are a FAULT or carry a fault',
    rate Float64 COMMENT 'faults / events, 0 to 1'
)
AS SELECT
    tenant,
    toStartOfHour(received_at) AS hour,
    event_source,
    count() AS events,
    countIf(event_type = 'FAULT' OR NOT fault.null) AS faults,
    faults / events AS rate
FROM {database}.events FINAL
GROUP BY tenant, hour, event_source
SETTINGS use_skip_indexes_if_final_exact_mode = 0
COMMENT 'How much fails, by tenant, hour and source';
