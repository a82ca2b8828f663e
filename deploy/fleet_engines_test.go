package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements/delivery"
)

// engine is a receiver of metrics that is asked in PromQL.
type engine struct {
	receives string // of gateway/receivers
	write    string // host and port
	asks     string // URL of Prometheus' API

	// late looks for samples that came late where they can't be asked for at once.
	late func(t *testing.T, samples int)
}

const (
	engaged   = 10                  // vantage points that push to it
	offline   = 20 * 24 * time.Hour // for how long one of them could not: within the 30 days that the files say
	forgotten = 40 * 24 * time.Hour // and another, beyond them
)

// takesAFleet has a fleet push to an engine through the gateway, and asks for each sample. Among them is a vantage
// point that was offline, and comes after the others with what is old. What is too old is refused for good, in a word
// that the gateway lets through: it would keep what is new from being sent.
func takesAFleet(t *testing.T, e engine) {
	g := newGateway(t, e.receives, e.write, "vector", e.write)
	post := g.post("/api/v1/write", token)
	now := time.Now()
	send := func(m *member) error {
		_, err := m.send(t.Context(), 0, states)
		return err
	}
	fleet := recorded(t, 0, engaged, post, now)
	for _, m := range fleet {
		if err := send(m); err != nil {
			t.Fatalf("%s: %v", m.instance, err)
		}
	}
	late := recorded(t, engaged, 1, post, now.Add(-offline))[0]
	if err := send(late); err != nil {
		t.Errorf("%s, late: %v", late.instance, err)
	}
	var refused *delivery.Refused
	if err := send(recorded(t, engaged+1, 1, post, now.Add(-forgotten))[0]); !errors.As(err, &refused) {
		t.Errorf("too late: %v", err)
	} else {
		t.Logf("too late: %v", err)
	}
	until(t, "as many vantage points as have pushed", func() bool {
		count := e.ask(t, `count(count by (instance) (telltale_vantage_info))`, now)
		return len(count) == 1 && count[0].Value.value == engaged
	})
	n := 0
	for _, m := range fleet {
		n += m.sum
		compare(t, m, e.has(t, m, now))
	}
	if e.late != nil {
		e.late(t, late.sum)
	} else {
		compare(t, late, e.has(t, late, now.Add(-offline)))
	}
	t.Logf("%s has %d samples of %d vantage points, and %d of the late one", e.receives, n, engaged, late.sum)
}

// has is all that the engine has of a member's in the hour until a time.
func (e engine) has(t *testing.T, m *member, until time.Time) samples {
	t.Helper()
	out := samples{}
	for _, series := range e.ask(t, fmt.Sprintf("{instance=%q}[1h]", m.instance), until.Add(time.Second)) {
		delete(series.Metric, "tenant_id") // Thanos' own
		values := map[int64]float64{}
		for _, v := range series.Values {
			values[v.at] = v.value
		}
		if len(values) != len(series.Values) {
			t.Errorf("%v: %d samples at %d times", series.Metric, len(series.Values), len(values))
		}
		out[named(series.Metric)] = values
	}
	return out
}

// answered is a series of an answer in PromQL: one value at the time that was asked for, or many.
type answered struct {
	Metric map[string]string
	Value  point
	Values []point
}

// point is a value at a time, in Unix milliseconds.
type point struct {
	at    int64
	value float64
}

// UnmarshalJSON reads seconds and a text, as Prometheus' API has them.
func (p *point) UnmarshalJSON(text []byte) error {
	var pair [2]json.RawMessage
	var seconds float64
	var value string
	if err := errors.Join(json.Unmarshal(text, &pair), json.Unmarshal(pair[0], &seconds), json.Unmarshal(pair[1], &value)); err != nil {
		return err
	}
	p.at = int64(math.Round(seconds * 1000))
	var err error
	p.value, err = strconv.ParseFloat(value, 64)
	return err
}

// ask puts a question as of a time.
func (e engine) ask(t *testing.T, query string, at time.Time) (series []answered) {
	t.Helper()
	var a struct{ Data struct{ Result *[]answered } }
	a.Data.Result = &series
	e.get(t, "/query", url.Values{"query": {query}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)}}, &a)
	return series
}

// get asks as the gateway's tenant.
func (e engine) get(t *testing.T, path string, query url.Values, to any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.asks+path+"?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Scope-OrgID", "telltale")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(to); err != nil {
		t.Fatal(err)
	}
}

// until waits, for some minutes at most.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("there is no sign of %s", what)
}
