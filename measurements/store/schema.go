package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// applicationID marks the file as ours, for file(1) and for us ("tell").
const applicationID = 0x74656c6c

// migrations bring a database from each version of its schema to the next: the first makes an empty one.
// They are never changed after a release, only added to. The version is SQLite's user_version.
//
// Times are milliseconds since 1970. A round's time stands at each of its measurements, so that evidence
// whose verdict was lost is found and grows old, too.
var migrations = []string{`
CREATE TABLE blobs (
	id     INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: measurements refer to it
	sha256 BLOB NOT NULL UNIQUE,              -- of the bytes before packing
	body   BLOB NOT NULL
);
CREATE TABLE uses ( -- apart from the bytes, which would be written again with every round
	blob INTEGER PRIMARY KEY,
	used INTEGER NOT NULL -- by a round of this time, and by none that is later
);
CREATE INDEX uses_by_time ON uses (used);
CREATE TABLE measurements (
	id        TEXT PRIMARY KEY NOT NULL,
	round     TEXT NOT NULL,
	started   INTEGER NOT NULL, -- of the round
	app       TEXT NOT NULL,
	rules     TEXT NOT NULL,
	catalogue TEXT NOT NULL,
	body      BLOB NOT NULL
);
CREATE INDEX measurements_by_time ON measurements (started, round);
CREATE TABLE verdicts (
	round   TEXT PRIMARY KEY NOT NULL,
	started INTEGER NOT NULL,
	rules   TEXT NOT NULL,
	body    BLOB NOT NULL
);
CREATE INDEX verdicts_by_time ON verdicts (started, round);
CREATE TABLE onsets (
	epoch      TEXT NOT NULL,
	app        TEXT NOT NULL,
	target     TEXT NOT NULL,
	layer      TEXT NOT NULL,
	ip_family  TEXT NOT NULL,
	signature  TEXT NOT NULL,
	onset      INTEGER NOT NULL,
	seen       INTEGER NOT NULL, -- when the last round that told of it began
	ended      INTEGER NOT NULL, -- 1: it does not stand any more
	body       BLOB NOT NULL,
	PRIMARY KEY (epoch, app, target, layer, ip_family, signature, onset)
) WITHOUT ROWID;
CREATE TABLE state (name TEXT PRIMARY KEY NOT NULL, saved INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE outbox (
	seq     INTEGER PRIMARY KEY AUTOINCREMENT,
	kind    TEXT NOT NULL,
	created INTEGER NOT NULL,
	body    BLOB NOT NULL
);
CREATE INDEX outbox_by_kind ON outbox (kind, seq);
-- Numbers begin with the time, so that a database that takes a damaged one's place gives none again.
INSERT INTO sqlite_sequence (name, seq) VALUES ('outbox', CAST(unixepoch('subsec') * 1000000 AS INTEGER));
`}

// ErrNewer is wrapped where a database was written by a later version of this program.
var ErrNewer = errors.New("a newer telltale wrote this database: run that one, or move the file away")

// errForeign says that a database is readable and none of ours.
var errForeign = errors.New("no database of telltale")

// errEmpty says that a database has nothing yet: who makes it is about to.
var errEmpty = fmt.Errorf("%w: it is empty", errForeign)

// farVersion is how many versions ahead a schema may claim to be; more is damage. Chosen by us.
const farVersion = 1000

// schemaOf gives the version of a database's schema; 0 for an empty file.
func schemaOf(q queryer) (version int, err error) {
	var id, tables int
	if err := row(q, "PRAGMA user_version", &version); err != nil {
		return 0, err
	}
	if err := row(q, "PRAGMA application_id", &id); err != nil {
		return 0, err
	}
	if err := row(q, "SELECT count(*) FROM sqlite_schema", &tables); err != nil {
		return 0, err
	}
	switch {
	case version == 0 && id == 0 && tables == 0:
		return 0, nil
	case id != applicationID, version < 1, version > len(migrations)+farVersion:
		return 0, errForeign
	case version > len(migrations):
		return 0, fmt.Errorf("%w (its schema is version %d, this one knows %d)", ErrNewer, version, len(migrations))
	}
	return version, nil
}

// migrate brings a database up to date, each step whole or not at all.
func migrate(db *sql.DB, steps []string) error {
	version, err := schemaOf(db)
	if err != nil {
		return err
	}
	for ; version < len(steps); version++ {
		err := transact(db, func(tx *sql.Tx) error {
			for _, text := range []string{steps[version], fmt.Sprintf("PRAGMA user_version = %d", version+1), fmt.Sprintf("PRAGMA application_id = %d", applicationID)} {
				if _, err := tx.Exec(text); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("schema version %d: %w", version+1, err)
		}
	}
	return nil
}

// queryer is a database, a connection of it, or a transaction.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// row reads a query's one row into variables.
func row(q queryer, query string, to ...any) error {
	return q.QueryRowContext(context.Background(), query).Scan(to...)
}

// transact makes a change whole, and on the disk, or not at all.
func transact(db *sql.DB, change func(*sql.Tx) error) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	if err := change(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
