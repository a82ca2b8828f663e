package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/telltale-probe/telltale/measurements"
)

// rich is a round with a certificate of its own, and a blocking that stands.
func rich(id string, at time.Time, bytes int) *Kept {
	r, v := round(id, at), verdict(at)
	der := randomBytes(bytes)
	copy(der, id)
	r.Apps[0].Observations[0].TLS.Chain = append(r.Apps[0].Observations[0].TLS.Chain, der)
	v.Standing = []measurements.Standing{{App: "line", Target: "web", Signature: measurements.TLSResetSNI, Onset: at, LastFailed: at}}
	return &Kept{Round: r, Verdict: v}
}

func keep(t *testing.T, s *Store, k *Kept) {
	t.Helper()
	if err := s.Keep(k); err != nil {
		t.Fatal(err)
	}
}

// What is older than the retention goes, with all that belongs to it alone; what others use stays.
func TestRetention(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	now := time.Now()
	for i := range 100 { // more than go at once
		keep(t, s, rich(fmt.Sprintf("old%02d", i), now.AddDate(0, 0, -20).Add(time.Duration(i)*time.Minute), 500))
	}
	keep(t, s, rich("new", now.AddDate(0, 0, -9), 500))
	stopped := round("stopped", now.AddDate(0, 0, -12)) // before its gate was measured: a verdict alone
	stopped.Gate, stopped.Apps = measurements.Measurement{}, nil
	keep(t, s, &Kept{Round: stopped, Verdict: verdict(now)})
	if n := count(t, s, "blobs"); n != 102 {
		t.Fatalf("%d blobs", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, log, _ := watched(t, dir, Options{Retention: 10 * 24 * time.Hour})
	keep(t, s, rich("last", now, 500))
	wantIDs(t, s, "new:2", "last:2")
	want := map[string]int{"measurements": 6, "verdicts": 2, "onsets": 2, "blobs": 3, "uses": 3}
	for table, n := range want {
		if got := count(t, s, table); got != n {
			t.Errorf("%s has %d rows, want %d", table, got, n)
		}
	}
	if !strings.Contains(log.String(), "deleted what was older") {
		t.Errorf("nothing was said: %s", log)
	}
}

// A certificate that is used again and again lives, as long as the last round that has it.
func TestBlobsInUseStay(t *testing.T) {
	s := open(t, t.TempDir(), Options{Retention: 10 * 24 * time.Hour})
	now := time.Now()
	for hours := 40 * 24; hours >= 0; hours -= 7 { // many rounds in a day
		appendRound(t, s, fmt.Sprint("r", hours), now.Add(-time.Duration(hours)*time.Hour))
	}
	if _, errs := ids(s); errs != nil || count(t, s, "blobs") != 1 {
		t.Errorf("%d blobs, %v", count(t, s, "blobs"), errs)
	}
}

// A store that grows past its largest size loses the oldest rounds, and gives the room back when less is
// allowed.
func TestMaxSize(t *testing.T) {
	dir := t.TempDir()
	const most = 20 << 20
	s := open(t, dir, Options{MaxSize: most})
	largest := int64(0)
	for i := range 200 { // of 100 kB each
		keep(t, s, rich(fmt.Sprintf("r%03d", i), monday.Add(time.Duration(i)*time.Minute), 100_000))
		largest = max(largest, s.Size())
	}
	if largest > most || largest < most/2 {
		t.Errorf("it grew to %d bytes, of %d", largest, most)
	}
	got, errs := ids(s)
	if errs != nil || len(got) < 50 || got[len(got)-1] != "r199:2" || got[0] == "r000:2" {
		t.Errorf("%d rounds, %v", len(got), errs)
	}
	for i := range got { // without a gap
		if want := fmt.Sprintf("r%03d:2", 200-len(got)+i); got[i] != want {
			t.Fatalf("%s, want %s", got[i], want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, Options{MaxSize: most / 2})
	keep(t, s, rich("small", monday.Add(time.Hour*10), 10))
	if s.Size() > most/2 {
		t.Errorf("it has %d bytes, of %d", s.Size(), most/2)
	}
}

// One round that is larger than all that is allowed stays until there is a newer one.
func TestTheNewestRoundStays(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxSize: 1 << 20})
	keep(t, s, rich("a", monday, 3<<20))
	wantIDs(t, s, "a:2")
	keep(t, s, rich("b", monday.Add(time.Minute), 3<<20))
	wantIDs(t, s, "b:2")
}

// A clock that was wrong costs the rounds of its time, and no others.
func TestWrongClock(t *testing.T) {
	s := open(t, t.TempDir(), Options{Retention: 10 * 24 * time.Hour})
	now := time.Now()
	appendRound(t, s, "now", now)
	appendRound(t, s, "battery", time.Unix(0, 0))
	appendRound(t, s, "later", now.Add(time.Minute))
	wantIDs(t, s, "now:2", "later:2")
}

// A clock that jumps ahead, as by a forged answer of NTP, costs nothing that is young by the neutral hosts' clocks, be it
// evidence or a message that waits; what is old by them goes.
func TestAClockThatIsAhead(t *testing.T) {
	s := open(t, t.TempDir(), Options{Retention: 10 * 24 * time.Hour})
	jumped := time.Now() // by these twenty days
	const ahead = 20 * 24 * time.Hour
	told := func(id string, offset time.Duration, outbox ...Message) *Kept {
		r := round(id, jumped)
		by := measurements.Seconds(offset)
		r.Gate.ClockOffset = &by
		return &Kept{Round: r, Verdict: verdict(jumped), Outbox: outbox}
	}
	keep(t, s, told("first", -ahead)) // so that nothing goes before the jump is known
	keep(t, s, &Kept{Round: round("old", jumped.Add(-ahead-11*24*time.Hour)), Verdict: verdict(jumped)})
	keep(t, s, &Kept{Round: round("young", jumped.Add(-ahead-9*24*time.Hour)), Verdict: verdict(jumped), Outbox: []Message{{Kind: "k", Body: []byte("b")}}})
	if _, err := s.db.Exec("UPDATE outbox SET created = ?", jumped.Add(-ahead).UnixMilli()); err != nil {
		t.Fatal(err)
	}
	if err := s.Enqueue(Message{Kind: "k", Body: []byte("c")}); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, s, "young:2", "first:2")
	if n, err := s.Waiting("k"); n != 2 || err != nil {
		t.Errorf("%d messages wait, %v", n, err)
	}
	keep(t, s, told("right", 0, Message{Kind: "k", Body: []byte("d")})) // twenty days did pass
	wantIDs(t, s, "first:2", "right:2")
	if n, err := s.Waiting("k"); n != 2 || err != nil {
		t.Errorf("%d messages wait, %v", n, err)
	}
}

// Daily files past the retention go, with what imports and crashes left; everything else stays.
func TestRetentionOfFiles(t *testing.T) {
	dir := t.TempDir()
	now := time.Now().UTC()
	name := func(kind string, days int, suffix string) string {
		return kind + "-" + now.AddDate(0, 0, -days).Format(time.DateOnly) + suffix
	}
	gone := []string{name("measurements", 12, ".ndjson"), name("verdicts", 12, ".ndjson"), name("measurements", 12, ".ndjson.torn"), name("verdicts", 12, ".ndjson.imported")}
	stay := []string{name("measurements", 10, ".ndjson.imported"), "measurements-old.ndjson", "notes.txt", name("mine", 12, ".ndjson")}
	for _, f := range append(gone, stay...) {
		if err := os.WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir, Options{Retention: 10 * 24 * time.Hour})
	for _, f := range gone {
		if _, err := os.Stat(filepath.Join(dir, f)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there", f)
		}
	}
	for _, f := range stay {
		if _, err := os.Stat(filepath.Join(dir, f)); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func bodies(t *testing.T, s *Store, kind string, n int) (out []string) {
	t.Helper()
	messages, err := s.Next(kind, n)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		out = append(out, string(m.Body))
	}
	return out
}

// A week offline is delivered in order, over restarts and lost answers; no sample is missing or doubled
// at a receiver that passes over the numbers that it has seen.
func TestOutbox(t *testing.T) {
	dir := t.TempDir()
	o := Options{Retention: 90 * 24 * time.Hour, MaxSize: 500e6}
	s := open(t, dir, o)
	const week = 7 * 96
	for i := range week {
		k := rich(fmt.Sprintf("r%03d", i), time.Now().Add(time.Duration(i-week)*15*time.Minute), 10)
		k.Outbox = []Message{{Kind: "metrics", Body: []byte(fmt.Sprint("m", i))}, {Kind: "evidence", Body: []byte(fmt.Sprint("e", i))}}
		keep(t, s, k)
	}
	var received []string
	seen := int64(0)
	for sent := 0; ; sent++ {
		messages, err := s.Next("metrics", 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(messages) == 0 {
			break
		}
		for _, m := range messages {
			if m.Seq > seen {
				seen, received = m.Seq, append(received, string(m.Body))
			}
		}
		switch sent % 3 {
		case 0: // the answer is lost: it is sent again
		case 1:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir, o)
		case 2:
			if err := s.Delivered("metrics", messages[len(messages)-1].Seq); err != nil {
				t.Fatal(err)
			}
		}
	}
	var want []string
	for i := range week {
		want = append(want, fmt.Sprint("m", i))
	}
	if diff := cmp.Diff(want, received); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := bodies(t, s, "evidence", week+1); len(got) != week || got[0] != "e0" {
		t.Errorf("the other delivery has %d messages", len(got))
	}
}

// The outbox is bounded by bytes, and by age: the oldest messages are given up, and counted by kind.
func TestOutboxIsBounded(t *testing.T) {
	dropped := map[string]int{}
	s := open(t, t.TempDir(), Options{Retention: 24 * time.Hour, MaxSize: 50_000, Dropped: func(kind string, n int) { dropped[kind] += n }})
	for i := range 30 {
		if err := s.Enqueue(Message{Kind: fmt.Sprint("k", i%2), Body: append(make([]byte, 999), byte('A'+i))}); err != nil {
			t.Fatal(err)
		}
	}
	got := append(bodies(t, s, "k0", 99), bodies(t, s, "k1", 99)...)
	if len(got) != 10 || got[0][999] != 'A'+20 || got[9][999] != 'A'+29 || dropped["k0"] != 10 || dropped["k1"] != 10 {
		t.Errorf("%d are left, dropped %v", len(got), dropped)
	}
	if _, err := s.db.Exec("UPDATE outbox SET created = created - 2 * 86400000"); err != nil {
		t.Fatal(err)
	}
	if err := s.Enqueue(Message{Kind: "new"}); err != nil {
		t.Fatal(err)
	}
	if count(t, s, "outbox") != 1 || dropped["k0"] != 15 || dropped["k1"] != 15 {
		t.Errorf("%d are left, dropped %v", count(t, s, "outbox"), dropped)
	}
	for _, m := range []Message{{}, {Kind: "x", Body: make([]byte, maxMessage+1)}} {
		if err := s.Enqueue(m); err == nil {
			t.Errorf("taken: %q, %d bytes", m.Kind, len(m.Body))
		}
	}
}

// Other bounds hold from the next round on, without opening the store anew.
func TestSetBounds(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	now := time.Now()
	keep(t, s, rich("old", now.AddDate(0, 0, -20), 500))
	s.SetBounds(10*24*time.Hour, 0)
	keep(t, s, rich("new", now, 500))
	var ids []string
	for r, err := range s.Rounds() {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	if diff := cmp.Diff([]string{"new"}, ids); diff != "" {
		t.Error(diff)
	}
}
