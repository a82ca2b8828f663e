package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math"
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

// indexDatabase notes the rounds of a database.
func (a *Archive) indexDatabase(s *source) error {
	if err := a.indexTable(s, evidence, "rowid, length(body), started, round, id, app"); err != nil {
		return err
	}
	return a.indexTable(s, judgement, "rowid, length(body), started, round, '', ''")
}

// indexTable reads a table from its beginning. Where that meets damage, it reads the rest from the end.
func (a *Archive) indexTable(s *source, table, columns string) error {
	last := int64(math.MinInt64)
	var full error
	note := func(rows *sql.Rows) error {
		p := place{source: s, table: table}
		var started int64
		var round, id, app string
		if err := rows.Scan(&p.row, &p.length, &started, &round, &id, &app); err != nil {
			return err
		}
		if a.lines++; a.lines > maxArchive {
			full = fmt.Errorf("%s: more than %d lines in all; give fewer files", p, maxArchive)
			return full
		}
		var err error
		if table == evidence {
			err = a.noteEvidence(p, id, round, app, time.UnixMilli(started))
		} else {
			err = a.noteVerdict(p, round)
		}
		if err != nil {
			a.refused(fmt.Errorf("%s: %w", p, err))
		}
		last = p.row
		return nil
	}
	err := each(s.db.q, note, "SELECT "+columns+" FROM "+table+" WHERE rowid > ? ORDER BY rowid", last)
	if err != nil && full == nil {
		a.refused(fmt.Errorf("%s: only a part of its %s can be read: %w", s.name, table, err))
		_ = each(s.db.q, note, "SELECT "+columns+" FROM "+table+" WHERE rowid > ? ORDER BY rowid DESC", last)
	}
	return full
}
