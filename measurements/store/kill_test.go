package store_test

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
	"github.com/telltale-probe/telltale/measurements/store"
)

// The variables that make this test binary a child that writes to a store until it is killed.
const (
	childStore  = "TELLTALE_STORE_CHILD"
	childRounds = "TELLTALE_STORE_ROUNDS"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childStore); dir != "" {
		if err := write(dir, os.Getenv(childRounds)); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// write keeps rounds for ever, and says of each when it was acknowledged.
func write(dir, rounds string) error {
	templates, err := readRounds(rounds)
	if err != nil {
		return err
	}
	s, err := store.Open(dir, store.Options{Retention: 90 * 24 * time.Hour, MaxSize: 500e6})
	if err != nil {
		return err
	}
	fmt.Println("open")
	for n := 0; ; n++ {
		j := templates[n%len(templates)]
		at := time.Now()
		i := int(at.UnixNano())
		k := later(&j, i, at)
		k.States["n"] = i
		k.Outbox = []store.Message{{Kind: "test", Body: []byte(strconv.Itoa(i))}}
		if err := s.Keep(k); err != nil {
			return err
		}
		fmt.Println("ack", k.Round.ID, i, len(k.Round.Apps)+1)
	}
}

// saveRounds writes rounds for the children to read.
func saveRounds(t *testing.T, rounds []judged) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rounds.ndjson")
	var out []byte
	for i := range rounds {
		r := &rounds[i].round
		for _, m := range append([]measurements.Measurement{r.Gate}, r.Apps...) {
			m.Round = r.ID
			line, err := ooni.Record(m)
			if err != nil {
				t.Fatal(err)
			}
			out = append(append(out, line...), '\n')
		}
	}
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func readRounds(path string) (out []judged, err error) {
	a, err := store.OpenArchive([]string{path}, nil, func(e error) { err = e })
	if err != nil {
		return nil, err
	}
	defer func() { _ = a.Close() }()
	for e := range a.Rounds() {
		out = append(out, judged{round: e.Round, verdict: measurements.RoundVerdict{Schema: measurements.RoundSchema, Started: e.Round.Started}})
	}
	return out, err
}

// number reads how often a test is to do something.
func number(t *testing.T, variable string, usual int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 2 {
		t.Fatalf("%s=%s: want a number above 1", variable, text)
	}
	return n
}

// ack is a round that a child said was kept.
type ack struct {
	round string
	n     int // what the state and the message of the outbox hold
	apps  int // measurements
}

// openBar is how long a start after a kill may take. The median holds it always, three orders of magnitude below;
// a single one, of a machine that builds and tests on all its cores, may wait for the disk as long again, a few
// times.
const openBar = time.Second

// A round that was acknowledged is there after kill -9, whole, with what was kept with it; one that was not
// is there whole or not at all. The bar: a thousand kills (TELLTALE_KILLS=1000), start-up under a second.
func TestKill(t *testing.T) {
	usual, within := 15, 300*time.Millisecond
	switch {
	case store.UnderRace:
		usual, within = 10, 3*time.Second // slow, and what is raced for is the same each time
	case store.Exhaustive():
		usual = 50
	}
	kills := number(t, "TELLTALE_KILLS", usual)
	const perStore = 50
	file := saveRounds(t, rounds(t, 2))
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	var dir string
	var all []ack
	var opening []time.Duration
	acked := 0
	for kill := range kills {
		if kill%perStore == 0 {
			dir, all = t.TempDir(), nil
		}
		new := killed(t, dir, file, random, within)
		// About two rounds a life, however slow the machine: most kills then hit a round that is being written.
		switch {
		case len(new) == 0:
			within = min(within*3/2, 10*time.Second)
		case len(new) > 3:
			within = within * 4 / 5
		}
		all, acked = append(all, new...), acked+len(new)
		opening = append(opening, wantAcked(t, dir, all))
		if kill%perStore == perStore-1 || kill == kills-1 {
			wantReadable(t, dir)
		}
		if t.Failed() {
			t.Fatalf("after kill %d", kill+1)
		}
	}
	slices.Sort(opening)
	t.Logf("%d kills, %d rounds acknowledged, none lost; opened in %v in the median, %v at most", kills, acked, opening[len(opening)/2], opening[len(opening)-1])
	if acked < kills/2 {
		t.Errorf("%d acknowledged rounds say little about %d kills", acked, kills)
	}
	most := 5 * openBar
	if os.Getenv("TELLTALE_KILLS") != "" {
		most = openBar // who asks for the bar has a quiet machine
	}
	if median, worst := opening[len(opening)/2], opening[len(opening)-1]; median > openBar || worst > most {
		t.Errorf("opened in %v in the median, %v at most; want %v and %v", median, worst, openBar, most)
	}
}

// killed lets a child write, kills it at a random moment, and gives what it said.
func killed(t *testing.T, dir, file string, random *rand.Rand, within time.Duration) (acks []ack) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childStore+"="+dir, childRounds+"="+file)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if random.IntN(8) > 0 { // else: maybe while it opens the store
		lines.Scan()
	}
	timer := time.AfterFunc(time.Duration(random.Int64N(int64(within))), func() { _ = child.Process.Kill() })
	defer timer.Stop()
	for lines.Scan() {
		var a ack
		if _, err := fmt.Sscanf(lines.Text(), "ack %s %d %d", &a.round, &a.n, &a.apps); err == nil {
			acks = append(acks, a)
		} else if strings.HasPrefix(lines.Text(), "error") {
			t.Error(lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
	_ = child.Wait() // it was killed
	return acks
}

// wantAcked opens a store after a kill, holds it against what was acknowledged, and says how long opening
// took.
func wantAcked(t *testing.T, dir string, acks []ack) time.Duration {
	t.Helper()
	start := time.Now()
	s, err := store.Open(dir, store.Options{Retention: 90 * 24 * time.Hour, MaxSize: 500e6})
	opening := time.Since(start)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := s.Next("test", 1<<20)
	if err != nil {
		t.Error(err)
	}
	wantState(t, s, acks)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	kept := wantWhole(t, filepath.Join(dir, "telltale.db"))
	if len(kept) != len(messages) {
		t.Errorf("%d rounds, %d messages", len(kept), len(messages))
	}
	at := 0
	for _, a := range acks {
		if kept[a.round] != a.apps {
			t.Errorf("round %s: %d measurements of %d", a.round, kept[a.round], a.apps)
		}
		for at < len(messages) && string(messages[at].Body) != strconv.Itoa(a.n) {
			at++ // of a round that was kept, and whose acknowledgement was not heard
		}
	}
	if at == len(messages) && len(acks) > 0 {
		t.Error("messages are missing, or not in order")
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*corrupt*")); files != nil {
		t.Errorf("set aside: %v", files)
	}
	return opening
}

// wantState makes sure that what was remembered is that of the last round, or of a later one.
func wantState(t *testing.T, s *store.Store, acks []ack) {
	t.Helper()
	if len(acks) == 0 {
		return
	}
	var n json.Number
	if err := s.LoadState("n", &n); err != nil {
		t.Error(err)
		return
	}
	if got, err := n.Int64(); err != nil || got < int64(acks[len(acks)-1].n) {
		t.Errorf("the state is of %s, the last acknowledged round of %d", n, acks[len(acks)-1].n)
	}
}

// wantWhole checks a database with SQLite's own eyes, and gives how many measurements each round has. None
// has less than another, and each has its verdict.
func wantWhole(t *testing.T, path string) map[string]int {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var said string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&said); err != nil || said != "ok" {
		t.Errorf("integrity_check: %q, %v", said, err)
	}
	rows, err := db.Query("SELECT v.round, (SELECT count(*) FROM measurements m WHERE m.started = v.started AND m.round = v.round) FROM verdicts v")
	if err != nil {
		t.Fatal(err)
	}
	kept, sum := map[string]int{}, 0
	for rows.Next() {
		var id string
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			t.Fatal(err)
		}
		kept[id] = n
		if sum += n; n != 6 {
			t.Errorf("round %s has %d measurements: it is not whole", id, n)
		}
	}
	var all int
	if err := errors.Join(rows.Err(), db.QueryRow("SELECT count(*) FROM measurements").Scan(&all)); err != nil || all != sum {
		t.Errorf("%d measurements, %d of rounds with a verdict, %v", all, sum, err)
	}
	return kept
}

// wantReadable reads all evidence.
func wantReadable(t *testing.T, dir string) {
	t.Helper()
	s, err := store.Open(dir, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for _, err := range s.Rounds() {
		if err != nil {
			t.Error(err)
		}
	}
	for _, err := range s.Verdicts() {
		if err != nil {
			t.Error(err)
		}
	}
}

// Killed again and again while it takes the files of the first format in, a store has each of their rounds
// once in the end.
func TestKillWhileImporting(t *testing.T) {
	file, dir := saveRounds(t, rounds(t, 2)), t.TempDir()
	templates, err := readRounds(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{}
	for day := range 4 {
		var lines []byte
		for n := range 8 {
			k := later(&templates[n%2], day*100+n, time.Now().Add(time.Duration(day-5)*24*time.Hour+time.Duration(n)*time.Minute))
			for _, m := range append([]measurements.Measurement{k.Round.Gate}, k.Round.Apps...) {
				m.Round = k.Round.ID
				line, err := ooni.Record(m)
				if err != nil {
					t.Fatal(err)
				}
				lines = append(append(lines, line...), '\n')
			}
			want[k.Round.ID] = len(k.Round.Apps) + 1
		}
		name := "measurements-" + time.Now().Add(time.Duration(day-5)*24*time.Hour).UTC().Format(time.DateOnly) + ".ndjson"
		if err := os.WriteFile(filepath.Join(dir, name), lines, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for range 12 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childStore+"="+dir, childRounds+"="+file)
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(50+random.IntN(250)) * time.Millisecond)
		_ = child.Process.Kill()
		_ = child.Wait()
	}
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for r, err := range s.Rounds() {
		if err != nil {
			t.Error(err)
		}
		if n, ours := want[r.ID]; ours {
			if len(r.Apps)+1 != n {
				t.Errorf("round %s has %d measurements, want %d", r.ID, len(r.Apps)+1, n)
			}
			delete(want, r.ID)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.ndjson*")); len(want) > 0 || files != nil {
		t.Errorf("missing: %v; left: %v", want, files)
	}
}
