-- Evidence in ClickHouse (24.8 and later):  clickhouse-client --multiquery < schema.sql
--
-- What telltale posts goes in as it is, a record a line, by ClickHouse's own HTTP interface:
--
--   POST /?query=INSERT INTO telltale.evidence (raw) FORMAT JSONAsString      Content-Encoding: gzip
--
-- Everything else is derived from raw, so that a column which is thought of later can be filled from what is there.
-- A round whose answer was lost is sent again, byte for byte. ReplacingMergeTree makes one row of what has one key
-- when it merges parts, some time later: ask with FINAL, as the views do, and every measurement is there once.

CREATE DATABASE IF NOT EXISTS telltale;

-- A row a measurement: one app in one round, or the gate's hosts (telltale_control).
--
-- Partitions are months of the record's own time: a repeat falls into the partition of the first. The key has
-- nothing of when or how a row came. Whoever has a token can say any time and id: a wrong one spoils its own rows.
CREATE TABLE IF NOT EXISTS telltale.evidence
(
    raw String CODEC(ZSTD(3)),
    id String MATERIALIZED JSONExtractString(raw, 'test_keys', 'x_telltale', 'id'),
    round String MATERIALIZED JSONExtractString(raw, 'test_keys', 'x_telltale', 'round'),
    app LowCardinality(String) MATERIALIZED JSONExtractString(raw, 'test_keys', 'x_telltale', 'app'),
    started DateTime64(3, 'UTC') MATERIALIZED parseDateTime64BestEffortOrZero(JSONExtractString(raw, 'test_keys', 'x_telltale', 'started'), 3, 'UTC'),
    country LowCardinality(String) MATERIALIZED JSONExtractString(raw, 'probe_cc'),
    asn UInt32 MATERIALIZED JSONExtractUInt(raw, 'test_keys', 'x_telltale', 'vantage', 'asn'),
    epoch String MATERIALIZED JSONExtractString(raw, 'test_keys', 'x_telltale', 'vantage', 'epoch'),
    tunnel Bool MATERIALIZED JSONExtractBool(raw, 'test_keys', 'x_telltale', 'vantage', 'tunnel'),
    version LowCardinality(String) MATERIALIZED JSONExtractString(raw, 'software_version'),
    rules LowCardinality(String) MATERIALIZED JSONExtractString(raw, 'test_keys', 'x_telltale', 'software', 'rules'),
    catalogue LowCardinality(String) MATERIALIZED JSONExtractString(raw, 'test_keys', 'x_telltale', 'software', 'catalogue'),
    runtime Float64 MATERIALIZED JSONExtractFloat(raw, 'test_runtime'),
    received DateTime('UTC') MATERIALIZED now('UTC')
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(started)
ORDER BY (app, started, id);

-- A row a step: one network operation, with what it was for and how it ended. Filled on the way in.
CREATE TABLE IF NOT EXISTS telltale.steps
(
    id String,
    step UInt32, -- its place among the measurement's observations, from 1: OONI's transaction_id
    app LowCardinality(String),
    started DateTime64(3, 'UTC'),
    country LowCardinality(String),
    asn UInt32,
    target LowCardinality(String),
    control LowCardinality(String), -- '' is the target itself
    trial UInt32,                   -- N and T of one trial share it; 0 outside of one
    operation LowCardinality(String),
    ip_family LowCardinality(String),
    endpoint String,
    name String,
    failure LowCardinality(String), -- OONI's df-007 where it has a word; '' is success
    duration Float64,               -- seconds
    sent UInt64,                    -- bytes
    received UInt64
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(started)
ORDER BY (app, target, operation, started, id, step);

CREATE MATERIALIZED VIEW IF NOT EXISTS telltale.steps_of_evidence TO telltale.steps AS
SELECT
    JSONExtractString(raw, 'test_keys', 'x_telltale', 'id') AS id,
    n AS step,
    JSONExtractString(raw, 'test_keys', 'x_telltale', 'app') AS app,
    parseDateTime64BestEffortOrZero(JSONExtractString(observation, 'started'), 3, 'UTC') AS started,
    JSONExtractString(raw, 'probe_cc') AS country,
    JSONExtractUInt(raw, 'test_keys', 'x_telltale', 'vantage', 'asn') AS asn,
    JSONExtractString(observation, 'target') AS target,
    JSONExtractString(observation, 'control') AS control,
    JSONExtractUInt(observation, 'trial') AS trial,
    JSONExtractString(observation, 'operation') AS operation,
    JSONExtractString(observation, 'ip_family') AS ip_family,
    JSONExtractString(observation, 'endpoint') AS endpoint,
    JSONExtractString(observation, 'name') AS name,
    JSONExtractString(observation, 'failure') AS failure,
    JSONExtractFloat(observation, 'duration') AS duration,
    JSONExtractUInt(observation, 'sent') AS sent,
    JSONExtractUInt(observation, 'received') AS received
FROM telltale.evidence
ARRAY JOIN
    JSONExtractArrayRaw(raw, 'test_keys', 'x_telltale', 'observations') AS observation,
    arrayEnumerate(JSONExtractArrayRaw(raw, 'test_keys', 'x_telltale', 'observations')) AS n;

-- A row for each T with its N: how the target failed, and how the neutral name did at the same place; '' is success.
-- N passes if the server answered it, and not with T's failure: an alert is an answer. This is the raw matter of a
-- verdict and no verdict: 'telltale judge' makes those, of raw (see the README).
CREATE VIEW IF NOT EXISTS telltale.pairs AS
SELECT
    app, target, operation, ip_family, country, asn, id, trial,
    min(steps.started) AS at,
    maxIf(failure, control = '') AS target_failure,
    maxIf(failure, control = 'N') AS neutral_failure
FROM telltale.steps FINAL
WHERE trial > 0
GROUP BY app, target, operation, ip_family, country, asn, id, trial
HAVING countIf(control = '') > 0 AND countIf(control = 'N') > 0;
