package export

import (
	"bytes"
	"encoding/json"
	"iter"
	"slices"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
	"github.com/telltale-probe/telltale/measurements/store"
)

// Form is one way to write what a store holds.
type Form struct {
	// Head comes before the first record; nil where nothing does.
	Head []byte

	find    func(store.Selection, int) ([]store.Position, error)
	count   func(store.Selection) (int, error)
	records func([]store.Position) iter.Seq2[Record, error]
}

// Record is what is written of one measurement, or of one round's verdict.
type Record struct {
	Round string // its id
	Text  []byte // whole lines, with their ends; empty where nothing is to be said
}

// OONI writes measurements. Where apps are selected, the gate of their rounds comes with them: without it
// nothing can be said of any app.
func OONI(s *store.Store) Form {
	return Form{
		find: func(sel store.Selection, most int) ([]store.Position, error) {
			if len(sel.Apps) > 0 && !slices.Contains(sel.Apps, measurements.ControlApp) {
				sel.Apps = append(slices.Clone(sel.Apps), measurements.ControlApp)
			}
			return s.FindMeasurements(sel, most)
		},
		count: s.CountMeasured,
		records: func(at []store.Position) iter.Seq2[Record, error] {
			return written(s.Measurements(at), func(m *measurements.Measurement) (Record, error) {
				line, err := ooni.Record(*m)
				return Record{m.Round, append(line, '\n')}, err
			})
		},
	}
}

// JSON writes verdicts, of these apps alone if there are any; of the line in any case.
func JSON(s *store.Store, apps []string) Form {
	return verdicts(s, apps, nil, func(j *store.Judged) ([]byte, error) {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false) // as once does
		err := e.Encode(j.Told())
		return b.Bytes(), err
	})
}

// CSV writes verdicts as a table, of these apps alone if there are any.
func CSV(s *store.Store, apps []string) Form { return verdicts(s, apps, header(), table) }

func verdicts(s *store.Store, apps []string, head []byte, write func(*store.Judged) ([]byte, error)) Form {
	return Form{
		Head: head, find: s.FindVerdicts, count: s.CountJudged,
		records: func(at []store.Position) iter.Seq2[Record, error] {
			return written(s.Judged(at), func(j *store.Judged) (Record, error) {
				if len(apps) > 0 {
					only(&j.Verdict, apps)
				}
				text, err := write(j)
				return Record{j.Round, text}, err
			})
		},
	}
}

// written turns what was read into what is written; an error of either passes.
func written[T any](read iter.Seq2[T, error], write func(*T) (Record, error)) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for v, err := range read {
			var r Record
			if err == nil {
				r, err = write(&v)
			}
			if err != nil {
				r = Record{}
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// only keeps what is said of these apps.
func only(v *measurements.RoundVerdict, apps []string) {
	v.Apps = slices.DeleteFunc(v.Apps, func(a measurements.AppVerdict) bool { return !slices.Contains(apps, a.App) })
	if v.Placebo != nil && !slices.Contains(apps, v.Placebo.App) {
		v.Placebo = nil
	}
	others := func(s measurements.Standing) bool { return !slices.Contains(apps, s.App) }
	v.Standing, v.Ended = slices.DeleteFunc(v.Standing, others), slices.DeleteFunc(v.Ended, others)
}

// Find says where the first records of a selection are, at most most of them.
func (f *Form) Find(sel store.Selection, most int) ([]store.Position, error) {
	return f.find(sel, most)
}

// Records reads and writes records that were found. One that is gone meanwhile is left out; one that can't be
// read or written yields an error that names it, and the next one follows.
func (f *Form) Records(at []store.Position) iter.Seq2[Record, error] { return f.records(at) }

// Rounds says how many rounds a selection has.
func (f *Form) Rounds(sel store.Selection) (int, error) { return f.count(sel) }

// page is how many records are looked up at once. Chosen by us.
const page = 64

// All gives a selection's records, oldest first, those too that are written meanwhile. It reads page by page: a
// daemon that writes to the store waits for one record at a time. Where looking them up fails, it ends with
// that error; otherwise errors are as in Records.
func (f *Form) All(sel store.Selection) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for {
			at, err := f.Find(sel, page)
			if err != nil {
				yield(Record{}, err)
				return
			}
			for r, err := range f.Records(at) {
				if !yield(r, err) {
					return
				}
			}
			if len(at) < page {
				return
			}
			sel.After = at[len(at)-1]
		}
	}
}
