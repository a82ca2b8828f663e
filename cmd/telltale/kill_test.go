package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements/store"
)

// lives is how often the program is killed.
const lives = 2

var (
	servesAt = regexp.MustCompile(`metrics: (http://[^/]+)/metrics`)
	// aRound is a line of a piped demo: when a round began, and what came of an app. It is written once the
	// round is kept.
	aRound = regexp.MustCompile(`^([0-9]{2}:[0-9]{2}:[0-9]{2}) telegram [a-z]+$`)
)

// The program itself, killed while it makes a round, has lost nothing of what it had said was kept when it is
// started again.
func TestKilledInMidRound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var said []string
	for range lives {
		rounds, _ := killedInMidRound(t, os.Args[0], dir)
		said = append(said, rounds...)
		wantRounds(t, dir, said)
	}
}

// BenchmarkStartAfterKill measures how long the program takes from its start until it is healthy, on the store of one
// that was killed in mid-round.
func BenchmarkStartAfterKill(b *testing.B) {
	binary, dir := built(b), b.TempDir()
	killedInMidRound(b, binary, dir)
	var healthy time.Duration
	for range b.N {
		_, after := killedInMidRound(b, binary, dir)
		healthy += after
	}
	b.ReportMetric(float64(healthy.Milliseconds())/float64(b.N), "ms/start")
}

// built is the program itself.
func built(t testing.TB) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "telltale")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// killedInMidRound starts the demo, lets it keep a round, and kills it in the next. It gives when the rounds
// began that it said it kept, and how long it took to be healthy.
func killedInMidRound(t testing.TB, binary, dir string) (rounds []string, healthy time.Duration) {
	t.Helper()
	demo := exec.Command(binary, "demo", "--store.path="+dir, "--web.listen-address=127.0.0.1:0")
	demo.Env = append(os.Environ(), itself+"=1") // nothing to one that was built
	out, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(5*time.Minute, func() { _ = demo.Process.Kill() }) // whatever it waits for
	defer stop.Stop()
	killed := make(chan struct{})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if at := servesAt.FindStringSubmatch(lines.Text()); at != nil {
			if !strings.Contains(get(at[1]+"/-/healthy"), "healthy") {
				t.Error("it says where it serves, and is not healthy")
			}
			healthy = time.Since(begun)
			go func() {
				defer close(killed)
				inMidRound(at[1])
				_ = demo.Process.Kill()
			}()
		}
		if r := aRound.FindStringSubmatch(lines.Text()); r != nil {
			rounds = append(rounds, r[1])
		}
	}
	_ = demo.Wait() // it was killed
	if healthy == 0 || len(rounds) == 0 || !stop.Stop() {
		t.Fatalf("healthy after %v, %d rounds", healthy, len(rounds))
	}
	<-killed
	return rounds, healthy
}

// inMidRound waits until one round was kept, and another one is being made.
func inMidRound(url string) {
	for kept := false; ; time.Sleep(20 * time.Millisecond) {
		page := get(url + "/")
		running := strings.Contains(page, "A round is being made now.")
		if kept && running || page == "" && kept {
			return
		}
		kept = kept || strings.Contains(page, "Next round:")
	}
}

// get is what a page says; "" where nobody answers.
func get(url string) string {
	answer, err := http.Get(url)
	if err != nil {
		return ""
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(answer.Body)
	return string(text)
}

// wantRounds holds a store against the rounds that were said to be kept. All others are whole, too.
func wantRounds(t *testing.T, dir string, said []string) {
	t.Helper()
	kept, err := store.Open(dir, store.Options{}) // as the next start does
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kept.Close() }()
	began, judged := map[string]bool{}, 0
	for v, err := range kept.Verdicts() {
		if err != nil {
			t.Fatal(err)
		}
		judged++
		began[v.Verdict.Started.UTC().Format(time.TimeOnly)] = true
	}
	for _, at := range said {
		if !began[at] {
			t.Errorf("the round of %s is lost", at)
		}
	}
	for r, err := range kept.Rounds() {
		if err != nil || len(r.Apps) != len(demoConfig().Apps)+1 { // with the placebo
			t.Errorf("round %s has %d apps: %v", r.ID, len(r.Apps), err)
		}
		judged--
	}
	if judged != 0 {
		t.Errorf("%d verdicts more than rounds", judged)
	}
	if aside, _ := filepath.Glob(filepath.Join(dir, "*corrupt*")); aside != nil {
		t.Errorf("set aside: %v", aside)
	}
}
