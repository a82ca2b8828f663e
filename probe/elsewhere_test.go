package probe

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/reference"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// theHelper is what the tests' helper announces; a test's dialer leads there to loopback.
var theHelper = netip.MustParseAddrPort("203.0.113.7:443")

// helperOnLoopback serves a helper until the test ends, and gives a host on which its address leads there.
func helperOnLoopback(t *testing.T) (host Host, key string) {
	t.Helper()
	far, err := reference.NewAnyName()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = far.ServeTLS(ctx, l) })
	wg.Go(func() { _ = far.ServeQUIC(ctx, socket) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return Host{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		switch {
		case address != theHelper.String():
			return nil, net.UnknownNetworkError("elsewhere") // nothing leaves this machine
		case network == "tcp4":
			address = l.Addr().String()
		default:
			address = socket.LocalAddr().String()
		}
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}}, far.Key()
}

// helperRound is a plan and a sheet in the middle of a round, with a handshake of each transport that died
// with a target's name and passed with a neutral one.
func helperRound(host Host, key string) (*Plan, *sheet, Target) {
	p := &Plan{Host: host, Timeout: patient, AskHelper: true, Ledger: schedule.NewLedger(time.Minute), slots: make(chan struct{}, 1),
		Reference: &Reference{answer: &reference.Answer{Time: time.Now(), Helper: &reference.Helper{Addresses: []string{theHelper.String()}, Key: key}}}}
	p.helpers = helpers{answered: make(chan struct{})}
	p.helpers.avoid(&measurements.Measurement{})
	close(p.helpers.answered)
	s := p.sheet(measurements.Round{}, "telegram")
	s.m.Targets = []measurements.TargetInfo{{ID: "web"}}
	for _, op := range []measurements.Operation{measurements.TLSHandshake, measurements.QUICHandshake} {
		trial := s.trial()
		for _, control := range []measurements.Control{measurements.N, measurements.T} {
			o := measurements.Observation{Operation: op, Family: measurements.IPv4, Endpoint: "198.51.100.1:443", Name: "web.telegram.org", TLS: &measurements.TLS{Shape: measurements.Small}}
			if control == measurements.T {
				o.Failure = measurements.Timeout
			}
			s.note(role{target: "web", control: control, trial: trial}, o)
		}
	}
	return p, s, Target{ID: "web", Hosts: []string{"web.telegram.org"}}
}

// handshakes lists what was seen at the helper, in order: "N ok", "X ssl_unknown_authority".
func handshakes(s *sheet, op measurements.Operation) (out []string) {
	for _, o := range s.close().Observations {
		if o.Origin == measurements.FromHelper && o.Operation == op {
			word := o.Failure.Reason()
			if o.OK() {
				word = "ok"
			}
			out = append(out, string(o.Control)+" "+word)
		}
	}
	return out
}

// Where a name died and a neutral one did not, both are tried at the helper, over the same transport, with
// the same shape of hello.
func TestAskHelper(t *testing.T) {
	t.Parallel()
	host, key := helperOnLoopback(t)
	p, s, target := helperRound(host, key)
	p.askHelper(t.Context(), s, target)
	for _, op := range []measurements.Operation{measurements.TLSHandshake, measurements.QUICHandshake} {
		if got := handshakes(s, op); !slices.Equal(got, []string{"N ok", "X ok"}) {
			t.Errorf("%s: %v", op, got)
		}
	}
	for _, o := range s.close().Observations {
		if o.Origin != measurements.FromHelper || o.TLS == nil {
			continue
		}
		if o.TLS.Shape != measurements.Small || o.TLS.ChainRoot != measurements.RootNone || o.Target != "web" || o.Trial < 3 {
			t.Errorf("%+v (%+v)", o, o.TLS)
		}
		if (o.Name == "web.telegram.org") != (o.Control == measurements.X) || len(o.Name) != len("web.telegram.org") {
			t.Errorf("control %s has the name %q", o.Control, o.Name)
		}
	}
	m := s.close()
	if err := m.Check(); err != nil || len(m.Skipped) > 0 {
		t.Errorf("skipped %v, %v", m.Skipped, err)
	}
}

// Who shows another key than the announced one is not told the target's name, and not asked again.
func TestHelperOfAnotherKey(t *testing.T) {
	t.Parallel()
	host, _ := helperOnLoopback(t)
	p, s, target := helperRound(host, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	p.askHelper(t.Context(), s, target)
	p.askHelper(t.Context(), s, target)
	for _, op := range []measurements.Operation{measurements.TLSHandshake, measurements.QUICHandshake} {
		if got := handshakes(s, op); !slices.Equal(got, []string{"N ssl_unknown_authority"}) {
			t.Errorf("%s: %v", op, got)
		}
	}
	if got := reasons(s); !slices.Equal(got, []string{measurements.SkipNoHelper, measurements.SkipNoHelper}) {
		t.Errorf("the second time was skipped for %v", got)
	}
}

func reasons(s *sheet) (out []string) {
	for _, k := range s.close().Skipped {
		out = append(out, k.Reason)
	}
	return out
}

// What keeps control X from being made, and is said.
func TestHelperIsLeftAlone(t *testing.T) {
	t.Parallel()
	host, key := helperOnLoopback(t)
	for name, c := range map[string]struct {
		edit func(*Plan)
		want string // the reason, for both transports; "" is nothing at all
	}{
		"nobody asked for it":  {func(p *Plan) { p.AskHelper = false }, ""},
		"switched off":         {func(p *Plan) { p.Without = map[measurements.Control]bool{measurements.X: true} }, ""},
		"no reference":         {func(p *Plan) { p.Reference = nil }, ""},
		"no answer":            {func(p *Plan) { p.Reference.answer = nil }, measurements.SkipNoHelper},
		"none is announced":    {func(p *Plan) { p.Reference.answer.Helper = nil }, measurements.SkipNoHelper},
		"a stale answer":       {func(p *Plan) { p.Reference.answer.Time = time.Now().Add(-2 * time.Hour) }, measurements.SkipNoHelper},
		"of the other family":  {func(p *Plan) { p.Reference.answer.Helper.Addresses = []string{"[2001:db8::7]:443"} }, measurements.SkipNoHelper},
		"a neutral host of us": {func(p *Plan) { p.helpers.never[theHelper.Addr()] = true }, measurements.SkipNoHelper},
		"the target itself":    {func(p *Plan) { p.Reference.answer.Helper.Addresses = []string{"198.51.100.1:443"} }, measurements.SkipNoHelper},
		"its place rests": {func(p *Plan) {
			p.Ledger.Fail(schedule.Place{Transport: "tcp", Endpoint: theHelper})
			p.Ledger.Fail(schedule.Place{Transport: "udp", Endpoint: theHelper})
		}, measurements.SkipResidual},
		"no budget": {func(p *Plan) { p.Budget = schedule.NewBudget(1) }, measurements.SkipBudget},
	} {
		p, s, target := helperRound(host, key)
		c.edit(p)
		p.askHelper(t.Context(), s, target)
		want := []string{c.want, c.want}
		if c.want == "" {
			want = nil
		}
		if got := reasons(s); !slices.Equal(got, want) {
			t.Errorf("%s: skipped for %v", name, got)
		}
		if n := len(handshakes(s, measurements.TLSHandshake)) + len(handshakes(s, measurements.QUICHandshake)); n > 0 {
			t.Errorf("%s: %d handshakes", name, n)
		}
	}
}

// Only a name that died where a neutral one passed is worth asking about.
func TestDiedByName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit func(*measurements.Measurement)
		want int
	}{
		"as it was":       {func(*measurements.Measurement) {}, 1},
		"N died as well":  {func(m *measurements.Measurement) { m.Observations[0].Failure = measurements.Timeout }, 0},
		"no N":            {func(m *measurements.Measurement) { m.Observations[0].Trial = 9 }, 0},
		"T passed":        {func(m *measurements.Measurement) { m.Observations[1].Failure = "" }, 0},
		"a foreign chain": {func(m *measurements.Measurement) { m.Observations[1].Failure = measurements.SSLUnknownAuthority }, 0},
		"no name":         {func(m *measurements.Measurement) { m.Observations[1].Name = "" }, 0},
		"another shape lived": {func(m *measurements.Measurement) {
			o := m.Observations[1]
			o.Failure = ""
			m.Observations = append(m.Observations, o)
		}, 0},
		"of another target": {func(m *measurements.Measurement) { m.Observations[1].Target = "dc1" }, 0},
	} {
		_, s, _ := helperRound(Host{}, "")
		c.edit(&s.m)
		if got := s.diedByName("web", measurements.LayerTLS); len(got) != c.want {
			t.Errorf("%s: %d", name, len(got))
		}
	}
}

// A name that dies at the helper, too, leaves its place to rest.
func TestHelperRestsAfterAFailure(t *testing.T) {
	t.Parallel()
	host, key := helperOnLoopback(t)
	p, s, target := helperRound(host, key)
	dial, streams := host.Dial, 0
	p.Host.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if streams++; network == "tcp4" && streams > 1 { // the second stream is swallowed
			near, _ := net.Pipe()
			return swallowed{near}, nil
		}
		return dial(ctx, network, address)
	}
	p.askHelper(t.Context(), s, target)
	if got := handshakes(s, measurements.TLSHandshake); !slices.Equal(got, []string{"N ok", "X generic_timeout_error"}) {
		t.Errorf("%v", got)
	}
	if !p.Ledger.Rests(schedule.Place{Transport: "tcp", Endpoint: theHelper}) || p.Ledger.Rests(schedule.Place{Transport: "udp", Endpoint: theHelper}) {
		t.Error("the wrong place rests")
	}
}

// swallowed is a connection on which nothing comes until the step's time is over, which is at once: the other steps have
// all the time that they need.
type swallowed struct{ net.Conn }

func (swallowed) Write(b []byte) (int, error) { return len(b), nil }
func (swallowed) Read([]byte) (int, error)    { return 0, os.ErrDeadlineExceeded }
