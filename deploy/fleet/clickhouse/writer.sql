-- Who writes may write, and nothing else. Change the password, here and in gateway/receivers/clickhouse.conf.
CREATE USER IF NOT EXISTS telltale_writer IDENTIFIED BY 'change it' HOST LOCAL;
GRANT INSERT(raw) ON telltale.evidence TO telltale_writer;
