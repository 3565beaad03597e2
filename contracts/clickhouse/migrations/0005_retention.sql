-- Ground for TTL, which the settings decide: a changed TTL recalculates only when each part expires,
-- it does not rewrite the data; expired rows are removed within the hour.

ALTER TABLE {database}.events{on_cluster}
    MODIFY SETTING materialize_ttl_recalculate_only = 1, merge_with_ttl_timeout = 3600;
