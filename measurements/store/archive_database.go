package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// magic is how every SQLite database begins (sqlite.org/fileformat2.html section 1.3).
const magic = "SQLite format 3\x00"

func isDatabase(f io.ReaderAt) bool {
	b := make([]byte, len(magic))
	_, err := f.ReadAt(b, 0)
	return err == nil && bytes.Equal(b, []byte(magic))
}

// database is one that is read as of one moment.
type database struct {
	reader
	db   *sql.DB
	conn *sql.Conn
}

// mostValue bounds a row of a stranger's database, in bytes: no record has more.
const mostValue = 32 << 20

func (a *Archive) openDatabase(path string) error {
	db, err := openToRead(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", path, errors.Join(err, db.Close()))
	}
	if _, err = sqlite.Limit(conn, sqlite3.SQLITE_LIMIT_LENGTH, mostValue); err == nil {
		_, err = conn.ExecContext(ctx, "BEGIN")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, errors.Join(err, conn.Close(), db.Close()))
	}
	a.files = append(a.files, &source{name: path, db: &database{reader{q: conn}, db, conn}})
	return nil
}

func (d *database) close() error { return errors.Join(d.conn.Close(), d.db.Close()) }

// indexDatabase notes the rounds of a database. One that is damaged is read as far as it goes.
func (a *Archive) indexDatabase(s *source) error {
	count := func(p place) error {
		if a.lines++; a.lines > maxArchive {
			return fmt.Errorf("%s: more than %d lines in all; give fewer files", p, maxArchive)
		}
		return nil
	}
	var full error
	err := each(s.db.q, func(rows *sql.Rows) error {
		p := place{source: s, table: evidence}
		var id, round, app string
		var started int64
		if err := rows.Scan(&p.number, &id, &round, &app, &started, &p.length); err != nil {
			return err
		}
		if full = count(p); full != nil {
			return full
		}
		if err := a.noteEvidence(p, id, round, app, time.UnixMilli(started)); err != nil {
			a.refused(fmt.Errorf("%s: %w", p, err))
		}
		return nil
	}, "SELECT rowid, id, round, app, started, length(body) FROM measurements ORDER BY rowid")
	if err == nil {
		err = each(s.db.q, func(rows *sql.Rows) error {
			p := place{source: s, table: judgement}
			var round string
			if err := rows.Scan(&p.number, &round); err != nil {
				return err
			}
			if full = count(p); full != nil {
				return full
			}
			if err := a.noteVerdict(p, round); err != nil {
				a.refused(fmt.Errorf("%s: %w", p, err))
			}
			return nil
		}, "SELECT rowid, round FROM verdicts ORDER BY rowid")
	}
	if full != nil {
		return full
	}
	if err != nil {
		a.refused(fmt.Errorf("%s: only a part of it can be read: %w", s.name, err))
	}
	return nil
}
