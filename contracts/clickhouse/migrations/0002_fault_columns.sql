-- What a fault says, computed once when the row is written: status and message, with everything that
-- differs from one failure to the next blanked, so that failures of one kind are one group.
-- Rows that are there already are computed when they are read, until they are merged.

ALTER TABLE {database}.events{on_cluster}
    ADD COLUMN IF NOT EXISTS fault_status UInt16
        MATERIALIZED if(isNull(fault), 0, multiIf(
            -- a member of the JSON, of its "error", or what an HTML page's title begins with
            (JSONExtract(ifNull(fault, ''), 'Tuple(
                status UInt16, statusCode UInt16, status_code UInt16, code UInt16, error String)')
                AS status_fields).1 BETWEEN 100 AND 599, status_fields.1,
            status_fields.2 BETWEEN 100 AND 599, status_fields.2,
            status_fields.3 BETWEEN 100 AND 599, status_fields.3,
            status_fields.4 BETWEEN 100 AND 599, status_fields.4,
            (JSONExtract(status_fields.5, 'Tuple(status UInt16, code UInt16)') AS inner_fields).1
                BETWEEN 100 AND 599, inner_fields.1,
            inner_fields.2 BETWEEN 100 AND 599, inner_fields.2,
            toUInt16OrZero(extract(ifNull(fault, ''), '(?i)<title>\\s*([1-5][0-9]{2})\\b'))))
        CODEC(ZSTD(1)) COMMENT 'HTTP status that the fault names, 0 for none',
    ADD COLUMN IF NOT EXISTS fault_message LowCardinality(String)
        MATERIALIZED if(isNull(fault), '', trimBoth(replaceRegexpAll(
            substringUTF8(multiIf(
                -- the member that is meant for people
                notEmpty((JSONExtract(ifNull(fault, ''), 'Tuple(exception String, message String,
                    error_description String, detail String, error String, errors String,
                    title String, reason String)') AS fields).2),
                concat(if(notEmpty(fields.1), concat(fields.1, ': '), ''), fields.2),
                notEmpty(fields.3), fields.3,
                notEmpty(fields.4), fields.4,
                -- any text or JSON: without its punctuation, which would pass for quoted values
                notEmpty(concat(fields.5, fields.6, fields.7, fields.8, fields.1)),
                replaceRegexpAll(multiIf(notEmpty(fields.5), fields.5, notEmpty(fields.6), fields.6,
                    notEmpty(fields.7), fields.7, notEmpty(fields.8), fields.8, fields.1),
                    '[\\s{}\\[\\]"\\\\]+', ' '),
                -- an HTML page's title, or the text as it is without tags
                notEmpty(extract(ifNull(fault, ''), '(?is)<title>(.*?)</title>') AS page_title),
                page_title,
                replaceRegexpAll(substringUTF8(ifNull(fault, ''), 1, 1000),
                    '<[^>]*>|[\\s{}\\[\\]"\\\\]+', ' ')
            ), 1, 300),
            concat(
                'https?://[^\\s"\'<>)]+',                       -- URLs
                '|[\\w.+-]+@[\\w.-]+',                           -- e-mail addresses
                '|"[^"]*"|`[^`]*`|\\B\'[^\']*\'',                -- quoted values
                '|\\b(?:(?:[a-z0-9-]+\\.)+(?:com|net|org|io|dev|app|cloud|example|local|internal)',
                '|(?:[a-z0-9-]+\\.){2,}[a-z]{2})\\b(?::[0-9]+)?', -- hosts
                '|\\b[\\w-]*[0-9][\\w-]*(?:[.:][0-9][\\w-]*)*'   -- numbers, ids, IP addresses
            ), '*')))
        CODEC(ZSTD(1)) COMMENT 'What the fault says, numbers, ids, hosts and quoted values as *',
    ADD COLUMN IF NOT EXISTS fault_fingerprint String
        ALIAS if(event_type = 'FAULT' OR isNotNull(fault), lower(hex(
            cityHash64(fault_status, fault_message, event_source, operation))), '')
        COMMENT 'The same for failures of one kind, as in the view faults; empty for no failure';
