package store

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The kinds of daily files.
const (
	evidence  = "measurements"
	judgement = "verdicts"

	lineSuffix = ".ndjson"
	tornSuffix = ".torn"
)

// day is one daily file.
type day struct {
	path string
	date time.Time // its midnight, UTC
	torn bool      // what repair moved aside
}

func (s *Store) dayPath(kind string, at time.Time) string {
	return filepath.Join(s.dir, kind+"-"+at.UTC().Format(time.DateOnly)+lineSuffix)
}

// days lists the daily files of some kinds, oldest first. Files that somebody else put there are not ours.
func (s *Store) days(kinds ...string) ([]day, error) {
	entries, err := os.ReadDir(s.dir) // sorted by name, and so by date
	if err != nil {
		return nil, err
	}
	var out []day
	for _, e := range entries {
		for _, kind := range kinds {
			if d, ok := parseDay(kind, e.Name()); ok && !d.torn && e.Type().IsRegular() {
				d.path = filepath.Join(s.dir, e.Name())
				out = append(out, d)
			}
		}
	}
	return out, nil
}

func parseDay(kind, name string) (day, bool) {
	rest, ours := strings.CutPrefix(name, kind+"-")
	rest, torn := strings.CutSuffix(rest, tornSuffix)
	rest, lines := strings.CutSuffix(rest, lineSuffix)
	date, err := time.Parse(time.DateOnly, rest)
	return day{date: date, torn: torn}, ours && lines && err == nil
}

// deleteOld deletes the days that ended before the retention. What can't be deleted now is tried
// again with the next round; it is no reason to stop measuring.
func (s *Store) deleteOld(now time.Time) {
	if s.options.Retention <= 0 {
		return
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		s.options.Log.Warn().Err(err).Msg("the store's old files can't be listed")
		return
	}
	for _, e := range entries {
		for _, kind := range []string{evidence, judgement} {
			d, ok := parseDay(kind, e.Name())
			if !ok || now.Sub(d.date.AddDate(0, 0, 1)) <= s.options.Retention {
				continue
			}
			if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil {
				s.options.Log.Warn().Err(err).Msg("an old file of the store can't be deleted")
				continue
			}
			s.options.Log.Info().Str("file", e.Name()).Msg("deleted a day past the retention")
		}
	}
}
