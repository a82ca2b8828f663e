package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/telltale-probe/telltale/measurements"
)

// found pages through a selection and gives the ids of its measurements, and how many pages they were.
func found(t *testing.T, s *Store, sel Selection, most int) (ids []string) {
	t.Helper()
	for {
		page, err := s.FindMeasurements(sel, most)
		if err != nil {
			t.Fatal(err)
		}
		for m, err := range s.Measurements(page) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, m.ID)
		}
		if len(page) < most {
			return ids
		}
		sel.After = reparsed(t, page[len(page)-1])
	}
}

// reparsed is a position as a client hands it back.
func reparsed(t *testing.T, p Position) Position {
	t.Helper()
	again, err := ParsePosition(p.String())
	if err != nil || again != p {
		t.Fatalf("%+v comes back as %+v, %v", p, again, err)
	}
	return again
}

// Pages of any size have every record once, in the order of time, the gate before the apps: also where
// rounds began at the same time.
func TestSelectionPages(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for _, r := range []struct {
		id    string
		after time.Duration
	}{{"c", time.Minute}, {"b", time.Minute}, {"a", time.Minute}, {"z", 0}, {"d", time.Hour}} {
		appendRound(t, s, r.id, monday.Add(r.after))
	}
	var want []string
	for _, id := range []string{"z", "a", "b", "c", "d"} {
		want = append(want, id+"-control", id+"-telegram", id+"-line")
	}
	for most := 1; most <= len(want)+1; most++ {
		if diff := cmp.Diff(want, found(t, s, Selection{}, most)); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", most, diff)
		}
	}
	places, err := s.FindVerdicts(Selection{Apps: []string{"nobody"}}, 10)
	var rounds string
	for j, jErr := range s.Judged(places) {
		if jErr != nil {
			t.Error(jErr)
		}
		rounds += j.Round
	}
	if err != nil || rounds != "zabcd" {
		t.Errorf("verdicts of %s, %v", rounds, err)
	}
}

// A selection is bounded by the time of rounds, and by apps.
func TestSelectionBounds(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for i := range 4 {
		appendRound(t, s, fmt.Sprint(i), monday.Add(time.Duration(i)*time.Minute))
	}
	last, err := s.FindMeasurements(Selection{}, 5)
	if err != nil || len(last) != 5 || last[4].Round() != "1" {
		t.Fatal(last, err)
	}
	for name, tt := range map[string]struct {
		sel  Selection
		want string
	}{
		"all of an app":             {Selection{Apps: []string{"line"}}, "0-line 1-line 2-line 3-line"},
		"two apps":                  {Selection{Apps: []string{"telegram", "line"}, Since: monday.Add(3 * time.Minute)}, "3-telegram 3-line"},
		"an app that nobody has":    {Selection{Apps: []string{"' OR 1=1 --"}}, ""},
		"since is within":           {Selection{Since: monday.Add(2 * time.Minute), Apps: []string{"line"}}, "2-line 3-line"},
		"until is without":          {Selection{Until: monday.Add(2 * time.Minute), Apps: []string{"line"}}, "0-line 1-line"},
		"both":                      {Selection{Since: monday.Add(time.Minute), Until: monday.Add(2 * time.Minute), Apps: []string{"line"}}, "1-line"},
		"none":                      {Selection{Since: monday.Add(time.Hour)}, ""},
		"another zone":              {Selection{Since: monday.Add(3 * time.Minute).In(time.FixedZone("", -3600)), Apps: []string{"line"}}, "3-line"},
		"after a record":            {Selection{After: last[4], Apps: []string{"line"}}, "1-line 2-line 3-line"},
		"after it, since before it": {Selection{After: last[4], Since: monday, Apps: []string{"line"}}, "1-line 2-line 3-line"},
		"after it, since later":     {Selection{After: last[4], Since: monday.Add(3 * time.Minute), Apps: []string{"line"}}, "3-line"},
	} {
		if got := strings.Join(found(t, s, tt.sel, 2), " "); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
	sel := Selection{Since: monday.Add(time.Minute), Apps: []string{"line"}}
	measured, err := s.CountMeasured(sel)
	judged, jErr := s.CountJudged(sel)
	if measured != 3 || judged != 3 || err != nil || jErr != nil {
		t.Errorf("%d rounds measured, %d judged; %v, %v", measured, judged, err, jErr)
	}
	apps, err := s.Apps()
	if diff := cmp.Diff([]string{measurements.ControlApp, "line", "telegram"}, apps); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if apps, err = s.Apps("line"); !slices.Contains(apps, "line") || err != nil {
		t.Error(apps, err)
	}
}

// What is added while a client reads comes at the end, what is deleted is left out, and the rest is read once.
func TestSelectionWhileTheStoreChanges(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for i := range 3 {
		appendRound(t, s, fmt.Sprint(i), monday.Add(time.Duration(i)*time.Minute))
	}
	page, err := s.FindMeasurements(Selection{}, 4) // one record into the second round
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Exec("DELETE FROM measurements WHERE round IN ('0', '1')"); err != nil {
		t.Fatal(err)
	}
	appendRound(t, s, "3", monday.Add(time.Hour))
	for m, err := range s.Measurements(page) {
		t.Errorf("what was deleted was read: %s, %v", m.ID, err)
	}
	if got := strings.Join(found(t, s, Selection{After: page[3]}, 2), " "); got != "2-control 2-telegram 2-line 3-control 3-telegram 3-line" {
		t.Error(got)
	}
	page, err = s.FindMeasurements(Selection{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Exec("UPDATE measurements SET rowid = rowid + 1000 WHERE rowid = ?1; UPDATE measurements SET rowid = ?1 WHERE id = '3-line'", page[0].row); err != nil {
		t.Fatal(err)
	}
	for m, err := range s.Measurements(page) {
		t.Errorf("another round's record was read: %s, %v", m.ID, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for m, err := range s.Measurements(page) {
		t.Errorf("a closed store was read: %s, %v", m.ID, err)
	}
}

// A record that is damaged is named; one that lost a certificate is not taken for one that was deleted.
func TestSelectionOfDamagedRecords(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	appendRound(t, s, "a", monday)
	if _, err := s.db.Exec("UPDATE measurements SET body = x'00' WHERE id = 'a-telegram'; DELETE FROM blobs; UPDATE verdicts SET body = x'00'"); err != nil {
		t.Fatal(err)
	}
	page, err := s.FindMeasurements(Selection{}, 9)
	if err != nil {
		t.Fatal(err)
	}
	var errs []string
	for _, err := range s.Measurements(page) {
		errs = append(errs, fmt.Sprint(err))
	}
	if page, err = s.FindVerdicts(Selection{}, 9); err != nil {
		t.Fatal(err)
	}
	for _, err := range s.Judged(page) {
		errs = append(errs, fmt.Sprint(err))
	}
	for i, want := range []string{"row 1 of measurements: blob 1", "row 2 of measurements: unexpected EOF", "blob 1", `round "a", row 1 of verdicts`} {
		if len(errs) != 4 || !strings.Contains(errs[i], want) {
			t.Fatalf("got %q, want %q in number %d", errs, want, i)
		}
	}
}

// A verdict that was exported is read as the one that it was.
func TestToldVerdictIsRead(t *testing.T) {
	j := Judged{Round: "r", Rules: "2026-11-23", Verdict: verdict(monday)}
	line, err := json.Marshal(j.Told())
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseJudged(line)
	if diff := cmp.Diff(j, got); diff != "" || err != nil {
		t.Errorf("%s: %v\n%s", line, err, diff)
	}
	if _, err := parseJudged([]byte(`{"schema":"telltale/round/v1","round":7}`)); err == nil {
		t.Error("a round that is no text was read")
	}
}

// Whatever a client hands in as a position is refused, or is one.
func FuzzParsePosition(f *testing.F) {
	f.Add(Position{started: monday.UnixMilli(), round: "r1", row: 7}.String())
	f.Add("AAAA")
	f.Add("-_-_")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePosition(text)
		if err != nil {
			return
		}
		if again, err := ParsePosition(p.String()); err != nil || again != p {
			t.Errorf("%q is %+v, and that %+v, %v", text, p, again, err)
		}
	})
}
