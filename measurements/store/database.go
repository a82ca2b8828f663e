package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// databaseName is the database's file in the store's directory.
const databaseName = "telltale.db"

// pragmas of the connection that writes. WAL with synchronous=FULL syncs the log at every commit
// (sqlite.org/pragma.html#pragma_synchronous); fullfsync makes macOS do the same in earnest. The cache and
// the log are small, since the machine may be.
var pragmas = []string{
	"busy_timeout(5000)", "journal_mode(wal)", "synchronous(full)", "fullfsync(1)", "checkpoint_fullfsync(1)",
	"cache_size(-512)", "temp_store(memory)", "wal_autocheckpoint(512)", "journal_size_limit(4194304)",
	"cell_size_check(1)", "trusted_schema(0)", "secure_delete(fast)",
}

// readPragmas are those of a connection that only reads, maybe a stranger's file.
var readPragmas = []string{"busy_timeout(5000)", "cache_size(-1024)", "temp_store(memory)", "cell_size_check(1)", "trusted_schema(0)", "query_only(1)"}

// logRoom is what the log takes beside the database: its limit after a checkpoint, and once more for what
// a round, or a reader that holds the checkpoint up, adds.
const logRoom = 8 << 20

// openSQLite opens a file by one connection: a second one would be a second cache, and could only wait.
func openSQLite(path string, pragmas []string, parameters ...string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if path = filepath.ToSlash(path); !strings.HasPrefix(path, "/") {
		path = "/" + path // file:///C:/…, sqlite.org/uri.html section 3.1
	}
	query := url.Values{}
	for _, p := range pragmas {
		query.Add("_pragma", p)
	}
	query.Set("_txlock", "immediate")
	for i := 0; i+1 < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	connector, err := sqlite.NewConnector(u.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	return db, nil
}

// openToWrite opens the store's database, makes it if there is none, and brings its schema up to date.
func openToWrite(path string) (*sql.DB, error) {
	if err := create(path); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	all := pragmas
	if info.Size() == 0 { // later it would change nothing, and write all the same
		all = append([]string{"auto_vacuum(incremental)"}, pragmas...)
	}
	db, err := openSQLite(path, all)
	if err != nil {
		return nil, err
	}
	err = migrate(db, migrations)
	if err == nil {
		err = glance(db)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// create makes the file for its owner alone; SQLite gives the same mode to those beside it. A file that is
// there is not opened: to close it again would drop the locks that SQLite has on it in this process
// (sqlite.org/howtocorrupt.html section 2.2).
func create(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(giveAway(f, filepath.Dir(path)), f.Close(), syncDir(filepath.Dir(path)))
}

// glance reads the newest rows of each table, by each index. All of a large database would take a small
// machine a minute; what is wrong elsewhere shows when it is read.
func glance(q queryer) error {
	for _, rows := range []string{
		"measurements ORDER BY started DESC LIMIT 8", "measurements ORDER BY rowid DESC LIMIT 8", "verdicts ORDER BY started DESC LIMIT 1",
		"blobs ORDER BY id DESC LIMIT 1", "outbox ORDER BY seq DESC LIMIT 1", "onsets", "state",
	} {
		var n int
		if err := row(q, "SELECT count(*) FROM (SELECT body FROM "+rows+") WHERE substr(body, -1) IS NOT NULL", &n); err != nil {
			return err
		}
	}
	return nil
}

// openToRead opens a database without changing it, also one in a folder that can't be written to, where
// SQLite can't make the index that it wants beside a log.
func openToRead(path string) (*sql.DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err // SQLite says the same in other words
	}
	db, err := openReadable(path)
	if codeOf(err) != sqlite3.SQLITE_CANTOPEN && codeOf(err) != sqlite3.SQLITE_READONLY {
		return db, err
	}
	if info, statErr := os.Stat(path + "-wal"); statErr == nil && info.Size() > 0 {
		return nil, fmt.Errorf("%w: its log beside it must be read too, and the folder can't be written to", err)
	}
	return openReadable(path, "immutable", "1")
}

func openReadable(path string, parameters ...string) (*sql.DB, error) {
	db, err := openSQLite(path, readPragmas, append(parameters, "mode", "ro", "_txlock", "deferred")...)
	if err != nil {
		return nil, err
	}
	version, err := schemaOf(db)
	if err == nil && version == 0 {
		err = errEmpty
	}
	if err == nil {
		err = plainTables(db)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// openAlone opens a database where there is no room on the disk for the index of its log: with the whole
// file to itself SQLite keeps that in memory (sqlite.org/wal.html section 8). For a moment's reading.
func openAlone(path string) (*sql.DB, error) {
	return openSQLite(path, []string{"locking_mode(exclusive)", "busy_timeout(1000)", "trusted_schema(0)"}, "mode", "rw", "_txlock", "deferred")
}

// plainTables refuses a file whose tables are views or virtual ones: to read them would be to run what a
// stranger wrote.
func plainTables(q queryer) error {
	var n int
	err := row(q, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name IN ('measurements', 'verdicts', 'blobs', 'uses', 'onsets', 'state', 'outbox')", &n)
	if err == nil && n != 7 {
		err = errForeign
	}
	return err
}

// each runs a query and gives its rows to scan, one by one.
func each(q queryer, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.QueryContext(context.Background(), query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
