-- Whoever analyses: reads everything in the database, changes nothing, and cannot take the server down.
-- To be run by an administrator of a ClickHouse server; `events migrate --print-access` fills it in.

-- readonly = 2: queries alone; clients may still set what their drivers need, within these limits
CREATE SETTINGS PROFILE IF NOT EXISTS events_reader{on_cluster} SETTINGS
    readonly = 2 CONST,
    max_execution_time = 60 MIN 1 MAX 300,
    max_memory_usage = 4000000000 MIN 1 MAX 8000000000,
    max_threads = 4 MIN 1 MAX 8,
    max_result_rows = 1000000 MIN 1 MAX 10000000,
    max_concurrent_queries_for_user = 8 CONST,
    priority = 10 CONST;

CREATE ROLE IF NOT EXISTS events_reader{on_cluster} SETTINGS PROFILE 'events_reader';

GRANT{on_cluster} SELECT ON {database}.* TO events_reader;

-- of each user: a loop that went wrong ends here, a person does not
CREATE QUOTA IF NOT EXISTS events_reader{on_cluster} KEYED BY user_name
    FOR INTERVAL 1 minute MAX queries = 300,
    FOR INTERVAL 1 hour MAX queries = 5000, read_rows = 20000000000, execution_time = 3600
    TO events_reader;

CREATE USER IF NOT EXISTS events_analyst{on_cluster}
    IDENTIFIED WITH sha256_password BY '$password';

GRANT{on_cluster} events_reader TO events_analyst;
