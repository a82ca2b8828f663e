package store

import (
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
)

// Judged is a round's verdict as it was said at the time, and by which rules.
type Judged struct {
	Round   string                    `json:"round"` // Round.ID
	Rules   string                    `json:"rules"` // measurements.RulesVersion of the day
	Verdict measurements.RoundVerdict `json:"verdict"`
}

// Told is a verdict as others get it: the form of `once --format=json`, and beside it of which round it is and
// by which rules. Archives read it, as they do what the store keeps.
type Told struct {
	measurements.RoundVerdict
	Round string `json:"round"`
	Rules string `json:"rules"`
}

// Told gives the verdict for others.
func (j *Judged) Told() Told { return Told{j.Verdict, j.Round, j.Rules} }

// Kept is what goes into the store together: all of it or none.
type Kept struct {
	Round   measurements.Round
	Verdict measurements.RoundVerdict
	// States are documents as of after the round, by name; see SaveState.
	States map[string]any
	// Outbox is what is to be delivered of the round.
	Outbox []Message
}

// Append keeps a round and what was said about it. When it returns nil they are on the disk. When it
// fails, as on a full disk, the round is lost and nothing else is: the next one can be appended.
func (s *Store) Append(round measurements.Round, v measurements.RoundVerdict) error {
	return s.Keep(&Kept{Round: round, Verdict: v})
}

// Keep is Append with what else must be on the disk if the round is. A measurement or a document that
// can't be written as JSON is an error and left out; the others are kept.
func (s *Store) Keep(k *Kept) error {
	p := newPacker()
	documents, failed := marshalStates(p, k.States)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hearClock(k.Round.Gate.ClockOffset)
	now := time.Now()
	var bad error              // of the last attempt
	var dropped map[string]int // as well
	err := s.write(func(tx *sql.Tx) (err error) {
		if bad, err = insertRound(tx, p, k); err != nil {
			return err
		}
		if err := saveDocuments(tx, documents, now); err != nil {
			return err
		}
		dropped, err = s.enqueue(tx, k.Outbox, now)
		return err
	})
	if err == nil {
		s.forget(documents)
		s.tellDropped(dropped)
		s.tidy(now, untilDone)
	}
	if err = errors.Join(err, bad, failed); err != nil {
		return fmt.Errorf("store: round %s: %w", k.Round.ID, err)
	}
	return nil
}

// insertRound is nil, nil where all of the round went in.
func insertRound(tx *sql.Tx, p *packer, k *Kept) (refused, err error) {
	w := &writer{tx: tx, packer: p, started: k.Round.Started.UnixMilli(), ids: map[[sha256.Size]byte]int64{}}
	for _, m := range append([]measurements.Measurement{k.Round.Gate}, k.Round.Apps...) {
		if m.App == "" {
			continue // a round that was stopped before its gate was measured
		}
		m.Round = k.Round.ID
		document, err := encode(&m, w.blob)
		if w.err != nil {
			return nil, w.err
		}
		if err != nil {
			refused = errors.Join(refused, fmt.Errorf("measurement %s of %s: %w", m.ID, m.App, err))
			continue
		}
		if _, err := tx.Exec("INSERT"+intoMeasurements, m.ID, m.Round, w.started, m.App, m.Software.Rules, m.Software.Catalogue, p.pack(document)); err != nil {
			return nil, err
		}
	}
	judged, err := encodeJudged(p, &Judged{Round: k.Round.ID, Rules: measurements.RulesVersion, Verdict: k.Verdict})
	if err != nil {
		return errors.Join(refused, fmt.Errorf("verdict: %w", err)), nil
	}
	if _, err := tx.Exec("INSERT"+intoVerdicts, k.Round.ID, w.started, measurements.RulesVersion, judged); err != nil {
		return nil, err
	}
	return refused, keepOnsets(tx, k.Round.Gate.Vantage.Epoch, w.started, &k.Verdict)
}

const (
	intoMeasurements = " INTO measurements (id, round, started, app, rules, catalogue, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
	intoVerdicts     = " INTO verdicts (round, started, rules, body) VALUES (?, ?, ?, ?)"
)

func encodeJudged(p *packer, j *Judged) ([]byte, error) {
	document, err := json.Marshal(j)
	if err == nil {
		err = ooni.CheckSize(document)
	}
	return p.pack(document), err
}

// writer keeps the bytes that come again.
type writer struct {
	tx *sql.Tx
	*packer
	started int64 // of the round
	ids     map[[sha256.Size]byte]int64
	err     error // of the database
}

// blob gives the id of bytes, which it keeps if they are new.
func (w *writer) blob(b []byte) (id int64, err error) {
	sum := sha256.Sum256(b)
	if id, known := w.ids[sum]; known {
		return id, nil
	}
	err = w.tx.QueryRow("SELECT id FROM blobs WHERE sha256 = ?", sum[:]).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		var r sql.Result
		if r, err = w.tx.Exec("INSERT INTO blobs (sha256, body) VALUES (?, ?)", sum[:], w.pack(b)); err == nil {
			id, err = r.LastInsertId()
		}
	}
	if err == nil {
		_, err = w.tx.Exec("INSERT INTO uses (blob, used) VALUES (?, ?) ON CONFLICT DO UPDATE SET used = max(used, excluded.used)", id, w.started)
	}
	if err != nil {
		w.err = err
		return 0, err
	}
	w.ids[sum] = id
	return id, nil
}
