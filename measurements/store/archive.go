package store

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
)

// Archive is evidence from files that may be anybody's: a store's folder, its database, daily files of the
// first format, or what `export` and `once --format=ooni` printed. It holds an index in memory and reads every
// round when it is asked for, so that months of evidence need no more memory than a round. Close it.
type Archive struct {
	files   []*source
	rounds  []*indexed
	byID    map[string]*indexed
	seen    map[string]place // the ids of measurements, and where each stands
	lines   int
	refused func(error)
}

// source is one open file.
type source struct {
	name string
	file *os.File  // of lines; nil for a database
	temp bool      // ours, a copy of what can't be read twice
	db   *database // nil for lines
}

// place is a line of a file, or a row of a database.
type place struct {
	source *source
	number int    // of the line
	table  string // measurements or verdicts; "" for a line
	row    int64  // of the table
	offset int64
	length int
}

func (p place) String() string {
	if p.table != "" {
		return fmt.Sprintf("%s: row %d of %s", p.source.name, p.row, p.table)
	}
	return fmt.Sprintf("%s: line %d", p.source.name, p.number)
}

// indexed says where a round's lines are.
type indexed struct {
	id       string
	started  time.Time
	apps     map[string]place
	order    []string // of the apps
	bytes    int
	recorded place // the verdict of the time; no source where none is known
}

// Bounds of an archive, chosen by us.
const (
	maxArchive = 1 << 20  // lines: five years of the default catalogue; the index takes some 200 bytes for each
	maxRound   = 64 << 20 // bytes of one round's lines: four of the largest
	maxName    = 256      // bytes of an id
)

// OpenArchive reads the files through once. "-" is standard input, and is copied to a temporary file.
// Beside a store's measurements-DATE.ndjson its verdicts-DATE.ndjson is read too, if there is one. A
// database is read as of one moment, also while a daemon writes to it.
//
// A file that can't be read at all is an error. Lines that can't be used are told to refused, with file
// and line, now or when their round is read; reading goes on after them.
func OpenArchive(paths []string, stdin io.Reader, refused func(error)) (*Archive, error) {
	a := &Archive{byID: map[string]*indexed{}, seen: map[string]place{}, refused: refused}
	if err := a.open(paths, stdin); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	for _, s := range a.files {
		index := a.index
		if s.db != nil {
			index = a.indexDatabase
		}
		if err := index(s); err != nil {
			return nil, errors.Join(err, a.Close())
		}
	}
	a.byID, a.seen = nil, nil
	a.rounds = slices.DeleteFunc(a.rounds, func(r *indexed) bool { return len(r.order) == 0 }) // a verdict without evidence
	slices.SortStableFunc(a.rounds, func(a, b *indexed) int { return cmp.Or(a.started.Compare(b.started), cmp.Compare(a.id, b.id)) })
	return a, nil
}

// Close closes the files and deletes the copies.
func (a *Archive) Close() error {
	var errs []error
	for _, s := range a.files {
		if s.db != nil {
			errs = append(errs, s.db.close())
			continue
		}
		errs = append(errs, s.file.Close())
		if s.temp {
			errs = append(errs, os.Remove(s.file.Name()))
		}
	}
	a.files = nil
	return errors.Join(errs...)
}

func (a *Archive) open(paths []string, stdin io.Reader) error {
	var all []string
	for _, path := range paths {
		more, err := withNeighbours(path)
		if err != nil {
			return err
		}
		for _, p := range more {
			if !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	for _, path := range all {
		if err := a.openOne(path, stdin); err != nil {
			return err
		}
	}
	return nil
}

// withNeighbours gives the files that a path stands for.
func withNeighbours(path string) ([]string, error) {
	if path == "-" {
		return []string{path}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		files, err := days(path)
		var out []string
		if _, statErr := os.Stat(filepath.Join(path, databaseName)); statErr == nil {
			out = append(out, filepath.Join(path, databaseName))
		}
		for _, d := range files {
			out = append(out, d.path)
		}
		if err == nil && len(out) == 0 {
			err = fmt.Errorf("%s: no %s and no %s-DATE%s in this folder", path, databaseName, evidence, lineSuffix)
		}
		return out, err
	}
	dir, name := filepath.Split(path)
	if d, ok := parseDay(name); ok && d.kind == evidence && !d.left {
		verdicts := filepath.Join(dir, judgement+"-"+d.date.Format(time.DateOnly)+lineSuffix)
		if info, err := os.Stat(verdicts); err == nil && info.Mode().IsRegular() {
			return []string{path, verdicts}, nil
		}
	}
	return []string{path}, nil
}

func (a *Archive) openOne(path string, stdin io.Reader) error {
	in, name := stdin, "standard input"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err != nil {
			return errors.Join(err, f.Close())
		}
		if info.Mode().IsRegular() {
			if isDatabase(f) {
				return errors.Join(f.Close(), a.openDatabase(path))
			}
			a.files = append(a.files, &source{name: path, file: f})
			return nil
		}
		defer func() { _ = f.Close() }() // a pipe
		in, name = f, path
	}
	copied, err := os.CreateTemp("", "telltale-judge-")
	if err != nil {
		return err
	}
	a.files = append(a.files, &source{name: name, file: copied, temp: true})
	if _, err := io.Copy(copied, in); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	_, err = copied.Seek(0, io.SeekStart)
	return err
}

// index notes where the rounds of a file are.
func (a *Archive) index(s *source) error {
	for line, err := range ooni.Lines(s.file) {
		p := place{source: s, number: line.Number, offset: line.Offset, length: len(line.Text)}
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		if a.lines++; a.lines > maxArchive {
			return fmt.Errorf("%s: more than %d lines in all; give fewer files", p, maxArchive)
		}
		if err := a.note(p, line.Text); err != nil {
			a.refused(fmt.Errorf("%s: %w", p, err))
		}
	}
	return nil
}

// note takes one line into the index, by as little of it as tells whose it is.
func (a *Archive) note(p place, text []byte) error {
	if err := ooni.CheckSize(text); err != nil {
		return err
	}
	var in struct {
		Version *string   `json:"data_format_version"`
		Schema  string    `json:"schema"`
		Round   string    `json:"round"`
		Verdict *struct{} `json:"verdict"`
		Keys    struct {
			Ours struct {
				ID      string    `json:"id"`
				Round   string    `json:"round"`
				App     string    `json:"app"`
				Started time.Time `json:"started"`
			} `json:"x_telltale"`
		} `json:"test_keys"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	switch ours := in.Keys.Ours; {
	case in.Version != nil:
		return a.noteEvidence(p, ours.ID, ours.Round, ours.App, ours.Started)
	case in.Verdict != nil, in.Schema == measurements.RoundSchema && in.Round != "":
		return a.noteVerdict(p, in.Round)
	}
	return errors.New("neither a measurement (data_format_version) nor a verdict of a store's: evidence is what a store keeps, what 'export' writes, and what 'once --format=ooni' prints")
}

func (a *Archive) noteVerdict(p place, round string) error {
	if len(round) > maxName {
		return fmt.Errorf("round has more than %d bytes", maxName)
	}
	r := a.round(round)
	if r.recorded.source != nil {
		return fmt.Errorf("the verdict of round %.64q stands twice, first in %s", round, r.recorded)
	}
	r.recorded = p
	return nil
}

func (a *Archive) noteEvidence(p place, id, round, app string, started time.Time) error {
	if first, twice := a.seen[id]; twice && id != "" {
		return fmt.Errorf("the measurement %.64q stands twice, first in %s", id, first)
	}
	if len(id) > maxName || len(round) > maxName || len(app) > maxName {
		return fmt.Errorf("id, round or app has more than %d bytes", maxName)
	}
	r := a.round(round)
	if first, twice := r.apps[app]; twice {
		return fmt.Errorf("round %.64q has %.64q twice, first in %s", round, app, first)
	}
	if len(r.order) >= maxApps || r.bytes+p.length > maxRound {
		return fmt.Errorf("round %.64q has more than %d apps, or more than %d bytes", round, maxApps, maxRound)
	}
	r.bytes += p.length
	if len(r.order) == 0 || started.Before(r.started) {
		r.started = started
	}
	a.seen[id], r.apps[app] = p, p
	r.order = append(r.order, app)
	return nil
}

func (a *Archive) round(id string) *indexed {
	r := a.byID[id]
	if r == nil {
		r = &indexed{id: id, apps: map[string]place{}}
		a.byID[id] = r
		a.rounds = append(a.rounds, r)
	}
	return r
}
