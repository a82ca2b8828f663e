package store

import (
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/telltale-probe/telltale/measurements"
)

// Onset is a blocking that was found to stand, as the last round that told of it knew it.
type Onset struct {
	Epoch string // of the network
	measurements.Standing
	Ended bool // it does not stand any more
}

// keepOnsets notes what stands after a round, and what has just ended.
func keepOnsets(tx *sql.Tx, epoch string, started int64, v *measurements.RoundVerdict) error {
	for _, list := range []struct {
		standings []measurements.Standing
		ended     int
	}{{v.Standing, 0}, {v.Ended, 1}} {
		for i := range list.standings {
			o := &list.standings[i]
			body, err := json.Marshal(o)
			if err != nil {
				continue // a time that JSON can't write: the verdict, which holds it too, has said so
			}
			if _, err := tx.Exec("INSERT OR REPLACE INTO onsets (epoch, app, target, layer, ip_family, signature, onset, seen, ended, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
				epoch, o.App, o.Target, string(o.Layer), string(o.Family), string(o.Signature), o.Onset.UnixMilli(), started, list.ended, body); err != nil {
				return err
			}
		}
	}
	return nil
}

// Onsets gives the blockings that were found in the time that the store covers, in the order in which
// they began.
func (s *Store) Onsets() ([]Onset, error) {
	var out []Onset
	err := s.view(func(q queryer) error {
		return each(q, func(rows *sql.Rows) error {
			var o Onset
			var body []byte
			if err := rows.Scan(&o.Epoch, &o.Ended, &body); err != nil {
				return err
			}
			if err := json.Unmarshal(body, &o.Standing); err != nil {
				return err
			}
			out = append(out, o)
			return nil
		}, "SELECT epoch, ended, body FROM onsets ORDER BY onset, app, target, layer, ip_family, signature")
	})
	if err != nil {
		return nil, fmt.Errorf("store: onsets: %w", err)
	}
	return out, nil
}
