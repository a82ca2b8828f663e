package store

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
)

// importBatch is how many lines are read before they are committed: a crash repeats no more than that.
// Chosen by us: some megabytes of lines, and a sync for each.
const importBatch = 128

// importLines takes the daily files of the first format into the database, oldest first. A line that can't
// be read is counted and passed over. A file is deleted when all of its lines are in the database, and on
// the disk: kept beside it, it would take thirty times as much room, and hold a volunteer's evidence twice.
// A file with a line that can't be read is renamed and stays, until its day is past the retention.
//
// What a crash cuts short is done again at the next start: a line that is there already changes nothing.
func (s *Store) importLines() {
	files, err := days(s.dir)
	if err != nil || len(files) == 0 {
		return
	}
	if s.options.Retention > 0 {
		now := time.Now()
		for len(files) > 0 && now.Sub(files[0].date.AddDate(0, 0, 1)) > s.options.Retention {
			if err := os.Remove(files[0].path); err != nil {
				s.options.Log.Warn().Err(err).Msg("an old file of the store can't be deleted")
			}
			files = files[1:]
		}
	}
	log := s.options.Log.With().Int("files", len(files)).Logger()
	log.Info().Msg("taking the files of the first format into the database")
	started := map[string]int64{} // of the day's rounds
	var date time.Time
	for i, d := range files {
		if !d.date.Equal(date) {
			clear(started)
			date = d.date
		}
		lines, refused, err := s.importFile(d, started)
		if err != nil {
			log.Error().Err(err).Str("file", filepath.Base(d.path)).Msg("a file of the first format could not be taken in; it stays, for the next start")
			return
		}
		log.Info().Int("done", i+1).Str("file", filepath.Base(d.path)).Int("lines", lines).Int("refused", refused).Msg("taken into the database")
		if refused > 0 {
			err = os.Rename(d.path, d.path+importedSuffix)
		} else {
			err = os.Remove(d.path)
		}
		if err != nil {
			log.Warn().Err(err).Msg("a file of the first format can't be put away")
		}
		s.tidy(time.Now(), oneChunk)
	}
}

func (s *Store) importFile(d daily, started map[string]int64) (lines, refused int, err error) {
	f, err := os.Open(d.path)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = f.Close() }()
	return s.importFrom(f, started)
}

// imported is one line, ready to be written.
type imported struct {
	measurement *measurements.Measurement
	verdict     *Judged
}

// importFrom takes lines in, whatever they are. Only reading and writing can fail.
func (s *Store) importFrom(r io.Reader, started map[string]int64) (lines, refused int, err error) {
	p := newPacker()
	var batch []imported
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		bad := 0
		err := s.write(func(tx *sql.Tx) (err error) {
			bad, err = insertImported(tx, p, batch, started)
			return err
		})
		refused, batch = refused+bad, batch[:0]
		return err
	}
	for line, err := range ooni.Lines(r) {
		if err != nil {
			return lines, refused, err
		}
		lines++
		in, err := parseImported(line.Text)
		if err != nil {
			s.options.Log.Warn().Int("line", line.Number).Err(err).Msg("a line of the first format can't be read")
			refused++
			continue
		}
		if batch = append(batch, in); len(batch) < importBatch {
			continue
		}
		if err := flush(); err != nil {
			return lines, refused, err
		}
	}
	return lines, refused, flush()
}

func parseImported(text []byte) (imported, error) {
	m, err := ooni.Parse(text)
	switch {
	case err == nil && m.ID == "":
		return imported{}, errors.New("it has no id")
	case err == nil:
		return imported{measurement: &m}, nil
	}
	j, verdictErr := parseJudged(text)
	if verdictErr != nil || j.Round == "" || len(j.Round) > maxName || j.Verdict.Schema == "" {
		return imported{}, fmt.Errorf("neither a measurement nor a verdict: %w", err)
	}
	return imported{verdict: &j}, nil
}

// insertImported writes lines. The time of a round is that of the first measurement that is seen of it.
func insertImported(tx *sql.Tx, p *packer, batch []imported, started map[string]int64) (refused int, err error) {
	w := &writer{tx: tx, packer: p, ids: map[[sha256.Size]byte]int64{}}
	for _, in := range batch {
		if in.verdict != nil {
			at, known := started[in.verdict.Round]
			if !known {
				at = in.verdict.Verdict.Started.UnixMilli()
			}
			document, err := encodeJudged(p, in.verdict)
			if err != nil {
				refused++
				continue
			}
			if _, err := tx.Exec("INSERT OR IGNORE"+intoVerdicts, in.verdict.Round, at, in.verdict.Rules, document); err != nil {
				return 0, err
			}
			continue
		}
		m := in.measurement
		if _, known := started[m.Round]; !known {
			started[m.Round] = m.Started.UnixMilli()
		}
		w.started = started[m.Round]
		document, err := encode(m, w.blob)
		if w.err != nil {
			return 0, w.err
		}
		if err != nil {
			refused++
			continue
		}
		if _, err := tx.Exec("INSERT OR IGNORE"+intoMeasurements, m.ID, m.Round, w.started, m.App, m.Software.Rules, m.Software.Catalogue, p.pack(document)); err != nil {
			return 0, err
		}
	}
	return refused, nil
}
