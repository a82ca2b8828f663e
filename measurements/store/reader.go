package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
)

func parseJudged(line []byte) (Judged, error) {
	var j Judged
	if err := ooni.CheckSize(line); err != nil {
		return j, err
	}
	var in struct {
		Schema string `json:"schema"`
		Judged
	}
	if err := json.Unmarshal(line, &in); err != nil {
		return j, err
	}
	if j = in.Judged; in.Schema == measurements.RoundSchema { // it was exported
		var told Told
		if err := json.Unmarshal(line, &told); err != nil {
			return j, err
		}
		j = Judged{told.Round, told.Rules, told.RoundVerdict}
	}
	if n := len(j.Verdict.Apps); n > maxApps {
		return j, fmt.Errorf("verdict.apps has %d entries, more than %d", n, maxApps)
	}
	return j, nil
}

// reader reads rows of a database that may be anybody's.
type reader struct {
	q     queryer
	blobs map[int64][]byte // read before
	held  int              // bytes of them
}

// maxHeld bounds the bytes that a reader keeps: rounds share their certificates. Chosen by us.
const maxHeld = 4 << 20

// use takes another database, whose blobs are others.
func (r *reader) use(q queryer) {
	if r.q != q {
		*r = reader{q: q}
	}
}

// measurement reads a row of the table measurements; sql.ErrNoRows where it is gone.
func (r *reader) measurement(row int64) (m measurements.Measurement, err error) {
	var id, round, app string
	var body []byte
	if err := r.one("SELECT id, round, app, body FROM measurements WHERE rowid = ?", row, &id, &round, &app, &body); err != nil {
		return m, err
	}
	document, err := unpack(body, ooni.MaxLine)
	if err != nil {
		return m, err
	}
	if m, err = decode(document, r.blob); err != nil {
		return m, err
	}
	if m.ID != id || m.Round != round || m.App != app {
		return m, errors.New("its id, round or app is another than its row's")
	}
	return m, nil
}

// verdict reads a row of the table verdicts.
func (r *reader) verdict(row int64) (j Judged, err error) {
	var body []byte
	if err := r.one("SELECT body FROM verdicts WHERE rowid = ?", row, &body); err != nil {
		return j, err
	}
	document, err := unpack(body, ooni.MaxLine)
	if err != nil {
		return j, err
	}
	return parseJudged(document)
}

func (r *reader) blob(id int64) ([]byte, error) {
	if b, ok := r.blobs[id]; ok {
		return b, nil
	}
	var sum, body []byte
	err := r.one("SELECT sha256, body FROM blobs WHERE id = ?", id, &sum, &body)
	var b []byte
	if err == nil {
		b, err = unpackBlob(body, sum)
	}
	if err != nil {
		return nil, fmt.Errorf("blob %d: %w", id, err)
	}
	if r.held += len(b); r.held > maxHeld || r.blobs == nil {
		r.blobs, r.held = map[int64][]byte{}, len(b)
	}
	r.blobs[id] = b
	return b, nil
}

// has says whether a table has a row.
func (r *reader) has(table string, row int64) bool {
	var n int64
	return r.one("SELECT rowid FROM "+table+" WHERE rowid = ?", row, &n) == nil
}

func (r *reader) one(query string, row int64, to ...any) error {
	found := false
	err := each(r.q, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(to...)
	}, query, row)
	if err == nil && !found {
		err = sql.ErrNoRows
	}
	return err
}
