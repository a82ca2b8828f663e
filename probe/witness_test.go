package probe

import (
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// callsOf notes who is asked, with hosts of as many operators as given.
func callsOf(operators ...string) (*witnesses, func() []string) {
	var mu sync.Mutex
	var asked []string
	w := &witnesses{ready: map[passage][]witness{}, silent: map[passage][]witness{}, wait: silentFor, asked: map[passage]time.Time{}}
	w.ask = func(_ passage, host string, _ netip.AddrPort) bool {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, host)
		return host != "mute"
	}
	for _, o := range operators {
		w.ready[passage{measurements.IPv4, false}] = append(w.ready[passage{measurements.IPv4, false}], witness{host: o, operator: o, turns: witnessTurns})
	}
	return w, func() []string {
		w.running.Wait()
		mu.Lock()
		defer mu.Unlock()
		return asked
	}
}

// A failure calls hosts of two operators, on its own passage, and what fails meanwhile calls nobody again.
func TestFailureCallsWitnesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, asked := callsOf("a", "b", "c")
		died := measurements.Observation{Operation: measurements.TLSHandshake, Family: measurements.IPv4, Endpoint: "192.0.2.1:443", Failure: measurements.ConnectionReset}
		w.hear(&died)
		w.hear(&died)
		if got := asked(); len(got) != askedOfFailure || got[0] == got[1] {
			t.Fatalf("asked %v", got)
		}
		over6, neutral, passed := died, died, died
		over6.Family, neutral.Control, passed.Failure = measurements.IPv6, measurements.N, ""
		time.Sleep(failurePause)
		for _, o := range []*measurements.Observation{&over6, &neutral, &passed} {
			w.hear(o)
		}
		if got := asked(); len(got) != askedOfFailure {
			t.Errorf("asked %v of what says nothing of this passage", got)
		}
		w.hear(&died)
		if got := asked(); len(got) != 2*askedOfFailure {
			t.Errorf("asked %v after the pause", got)
		}
	})
}

// A timer that fires as the round ends calls nobody: the gate's sheet is closed by then.
func TestWitnessesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, asked := callsOf("a", "b")
		by := passage{measurements.IPv4, false}
		stop := w.watch(by)
		defer stop()
		w.end()
		time.Sleep(2 * silentFor)
		w.hear(&measurements.Observation{Operation: measurements.TLSHandshake, Family: measurements.IPv4, Endpoint: "192.0.2.1:443", Failure: measurements.ConnectionReset})
		if got := asked(); len(got) > 0 {
			t.Errorf("asked %v after the end", got)
		}
	})
}

// A long silence calls one host while it lasts; a short step calls none. Who did not answer is left alone while
// others do, and nobody is asked more often than his turns.
func TestSilenceCallsAWitness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, asked := callsOf("mute", "a")
		by := passage{measurements.IPv4, false}
		stop := w.watch(by)
		time.Sleep(silentFor - time.Millisecond)
		stop()
		time.Sleep(time.Second)
		if got := asked(); len(got) != 0 {
			t.Fatalf("a short step asked %v", got)
		}
		for range 4 * witnessTurns {
			stop := w.watch(by)
			time.Sleep(2 * silentFor)
			synctest.Wait()
			stop()
		}
		got := asked()
		if len(got) != 2*witnessTurns || got[0] != "mute" || slices.Contains(got[1:1+witnessTurns], "mute") {
			t.Errorf("asked %v", got)
		}
	})
}

// Who is asked are the hosts whose handshakes the gate saw answered, or killed: not the silent.
func TestWhoIsAWitness(t *testing.T) {
	gate := measurements.Measurement{}
	for host, f := range map[string]measurements.Failure{"well": "", "killed": measurements.ConnectionReset, "silent": measurements.Timeout} {
		gate.Observations = append(gate.Observations, measurements.Observation{Target: host, Operation: measurements.TLSHandshake, Family: measurements.IPv4, Endpoint: "192.0.2." + strconv.Itoa(1+len(gate.Observations)) + ":443", Failure: f})
	}
	var hosts []string
	for _, x := range (&Plan{}).newWitnesses(t.Context(), nil, &gate).ready[passage{measurements.IPv4, false}] {
		hosts = append(hosts, x.host)
	}
	if slices.Sort(hosts); !slices.Equal(hosts, []string{"killed", "well"}) {
		t.Errorf("witnesses: %v", hosts)
	}
}

// Where steps end sooner, neutral hosts are asked sooner: they must answer in the first half of a silence.
func TestWitnessesAreInTime(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{2 * time.Second: 600 * time.Millisecond, 10 * time.Second: silentFor, time.Minute: silentFor} {
		if w := (&Plan{Timeout: timeout}).newWitnesses(t.Context(), nil, &measurements.Measurement{}); w.wait != want {
			t.Errorf("of a step of %v they are asked after %v, want %v", timeout, w.wait, want)
		}
	}
}

// Before the gate is over, and where it got nothing, there is nobody to ask.
func TestNoWitnesses(t *testing.T) {
	var none *witnesses
	none.hear(&measurements.Observation{Operation: measurements.Connect, Endpoint: "192.0.2.1:443", Failure: measurements.Timeout})
	none.watch(passage{})()
}
