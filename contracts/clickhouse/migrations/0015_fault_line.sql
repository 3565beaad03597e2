-- What a fault says, and the exception or code that it names, are worked out where they are needed, in
-- `fault_message`, and are no columns any more: ClickHouse resolves every ALIAS column of a table for every
-- query of it, asked for or not, and those two cost a small query as much as all the rest of its planning.
-- The message is what it was; nothing that is stored changes.

ALTER TABLE {database}.events{on_cluster}
    MODIFY COLUMN fault_message LowCardinality(String)
        MATERIALIZED if(isNull(fault), '',
            -- one line without a stack; then U+0002 ... U+0003 for what is kept, U+0001 for what varies
            replaceRegexpAll(replaceAll(replaceAll(replaceAll(replaceRegexpAll(
                toLowCardinality(trimBoth(replaceRegexpAll(substringUTF8(
                    concat(
                        -- the exception or code that JSON names
                        if(empty(if(match(toValidUTF8(ifNull(fault, '')) AS told, $re$^\s*[\[{]$re$) AS is_json,
                            extract(told, concat(
                                $re$"(?:exception|exceptionType|ExceptionType|__type|code|Code|errorCode|error_code$re$,
                                $re$|errorcode|name|type|status|error)"\s*:\s*"$re$,
                                -- NullPointerException, resource_missing, NOT_FOUND, ERR_BAD_REQUEST
                                $re$([a-zA-Z_.]*(?:[eE]rror|[eE]xception|[A-Za-z]_[A-Za-z]|[A-Z]{4})[\w.]*)"$re$)),
                            '') AS named)
                        -- and what the fault says, for people
                        OR position(multiIf(
                            is_json,
                            multiIf(
                                -- JSON: its message, or one further inside; where it was broken off, what there is
                                notEmpty((JSONExtract(told, 'Tuple(
                                    message String, title String, errors String, error String)') AS members).1)
                                    AND NOT match(members.1, $re$^[\[{]$re$), members.1,
                                notEmpty(extract(told, concat(
                                    $re$"(?:message|Message|msg|errorMessage|error_message|ErrorMessage|ExceptionMessage$re$,
                                    $re$|faultstring|error_description|detail|details)"\s*:\s*$re$,
                                    $re$(?:\{[^{}]*"value"\s*:\s*)?"((?:[^"\\]|\\.)+)$re$)) AS inner_part),
                                ifNull(nullIf(JSONExtractString(concat('{"t":"', inner_part, '"}'), 't'), ''), inner_part),
                                -- errors by field, and what they are about
                                match(members.3, '[A-Za-z]{2}'),
                                concat(members.2, if(empty(members.2), '', ' '), replaceRegexpAll(
                                    replaceRegexpAll(members.3, $re$"\s*:\s*$re$, ': '), $re$[\[\]{}"]|\\[nrt]?$re$, '')),
                                match(members.4, $re$^[^\[{]{6}$re$), members.4,
                                notEmpty(extract(told, concat(
                                    $re$"(?:reason|title|description|error|text|cause)"\s*:\s*$re$,
                                    $re$"((?:[^"\\]|\\.)+)$re$)) AS other_part), other_part,
                                notEmpty(named), '',
                                -- none: the names of its members
                                concat(if(isValidJSON(told), 'JSON without a message: ', 'Broken JSON with '),
                                    arrayStringConcat(arraySlice(
                                        extractAll(told, $re$"([\w.-]+)"\s*:$re$), 1, 10), ', '))),
                            -- HTML and XML: title, heading, the text of a SOAP fault; else all that is no tag
                            match(told, $re$^\s*<$re$),
                            decodeXMLComponent(if(
                                notEmpty(extract(told, concat(
                                    $re$(?is)<(?:\w+:)?(?:title|h1|faultstring|text|message|reason|errormessage)$re$,
                                    $re$(?:\s[^>]*)?>\s*([^<]*[^<\s])$re$)) AS marked_part),
                                marked_part,
                                replaceRegexpAll(substringUTF8(told, 1, 1000), '<[^>]*>', ' '))),
                            -- Python tells the error in the last line, others in the first
                            position(told, 'Traceback (most recent call last)') > 0,
                            extract(told, $re$(?s).*\n(\w[^\n]*)$re$),
                            startsWith(told, '"') AND isValidJSON(told),
                            JSONExtractString(told),
                            told) AS said, named) > 0,
                            '', if(empty(said), named, concat(named, ': '))),
                        replaceRegexpOne(said, $re$(?s)\s*\n\s+at .*$re$, '')),
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
        CODEC(ZSTD(1)) COMMENT 'What the fault says in a line, numbers, ids, hosts and quoted values as *';

ALTER TABLE {database}.events{on_cluster} DROP COLUMN IF EXISTS fault_line;

ALTER TABLE {database}.events{on_cluster} DROP COLUMN IF EXISTS fault_name;
