package measurements

import "testing"

// Silence after a good handshake is a server's as easily as a censor's, unless the kernel says that the
// request was never acknowledged, the answer had begun, or, over QUIC, the site answers over TLS.
func TestServerMayHang(t *testing.T) {
	const name = "web.telegram.org"
	exchange := func(transport string, conn int, edit func(*Observation)) Observation {
		o := met(HTTPExchange, here, Timeout)
		o.Name, o.Transport, o.Conn, o.HTTP, o.Sent = name, transport, conn, &HTTP{Verified: true}, 400
		edit(&o)
		return o
	}
	shaken := func(op Operation, transport string, conn int) Observation {
		o := met(op, here, "")
		o.Name, o.Transport, o.Conn, o.Sent, o.Received, o.TLS, o.Duration = name, transport, conn, 600, 3000, &TLS{Shape: Small}, 0
		return o
	}
	neutral := func(transport string) Observation {
		return exchange(transport, 2, func(o *Observation) {
			o.Control, o.Name, o.Failure, o.HTTP.Status, o.Received = N, "neutral.example.com", "", 404, 9000
		})
	}
	acked := func(n uint64) func(*Observation) {
		return func(o *Observation) { o.TCP = &TCPInfo{BytesAcked: n} }
	}
	overTLS := exchange("tls", 3, func(o *Observation) { o.Failure, o.HTTP.Status = "", 200 })
	for _, c := range []struct {
		name string
		seen []Observation
		want State
	}{
		{"nothing is known of acknowledgements", []Observation{neutral("tls"), shaken(TLSHandshake, "tls", 1), exchange("tls", 1, func(*Observation) {})}, Inconclusive},
		{"the request was acknowledged", []Observation{neutral("tls"), shaken(TLSHandshake, "tls", 1), exchange("tls", 1, acked(1000))}, Inconclusive},
		{"the handshake was acknowledged and the request was not", []Observation{neutral("tls"), shaken(TLSHandshake, "tls", 1), exchange("tls", 1, acked(600))}, Blocked},
		{"the answer had begun", []Observation{neutral("tls"), shaken(TLSHandshake, "tls", 1), exchange("tls", 1, func(o *Observation) { o.HTTP.Status = 200 })}, Blocked},
		{"over QUIC, and nothing over TLS", []Observation{neutral("quic"), shaken(QUICHandshake, "quic", 1), exchange("quic", 1, func(*Observation) {})}, Inconclusive},
	} {
		if got := layerVerdict(t, heard(morning, nil, append([]Observation{resolved()}, c.seen...)...), nil, "web", LayerHTTP); got.State != c.want {
			t.Errorf("%s: %s by %s (%q)", c.name, got.State, got.Rule, got.Reasons)
		}
	}
	quic := []Observation{resolved(), overTLS, neutral("quic"), shaken(QUICHandshake, "quic", 1), exchange("quic", 1, func(*Observation) {})}
	if got := layerVerdict(t, heard(morning, nil, quic...), nil, "web", LayerHTTP); got.State != Blocked || got.Confidence != Suspected {
		t.Errorf("over QUIC, and the site answers over TLS: %s %s by %s", got.State, got.Confidence, got.Rule)
	}
}

// A redirect in clear to somebody else's site is likely a forged one where a neutral Host is not led there; suspected
// where it is one as apps make that move; and none where the app's own server says so over verified TLS.
func TestRedirectedElsewhere(t *testing.T) {
	t.Parallel()
	const name, away = "web.telegram.org", "http://warning.example.com/"
	led := func(c Control, to string) *Observation {
		return &Observation{Operation: HTTPExchange, Control: c, Name: name, Transport: "tcp", HTTP: &HTTP{Status: 302, Location: to}}
	}
	own := func(verified bool, to string) Observation {
		return Observation{Operation: HTTPExchange, Name: name, Transport: "tls", HTTP: &HTTP{Status: 301, Location: to, Verified: verified}}
	}
	answered := &Observation{Operation: HTTPExchange, Control: N, Transport: "tcp", HTTP: &HTTP{Status: 200}}
	for what, test := range map[string]struct {
		to         string
		n          *Observation
		over       []Observation
		state      State
		confidence Confidence
	}{
		"to a warning":                          {to: away, n: answered, state: Blocked, confidence: Likely},
		"to an address":                         {to: "https://198.51.100.7/", n: answered, state: Blocked, confidence: Likely},
		"to a name on HTTPS":                    {to: "https://www.plain.example.org/", n: answered, state: Blocked, confidence: Suspected},
		"which the app says over TLS, too":      {to: "https://www.plain.example.org/", n: answered, over: []Observation{own(true, "https://WWW.plain.example.org/?a")}, state: OK},
		"over a chain that is not its own":      {to: away, n: answered, over: []Observation{own(false, away)}, state: Blocked, confidence: Likely},
		"another place than over TLS":           {to: away, n: answered, over: []Observation{own(true, "https://www.plain.example.org/")}, state: Blocked, confidence: Likely},
		"the neutral Host, too, by the query":   {to: away + "?from=a", n: led(N, away+"?from=b"), state: Inconclusive},
		"the neutral Host, to its own path":     {to: away, n: led(N, "/login"), state: Blocked, confidence: Likely},
		"the neutral Host was not answered":     {to: away, n: &Observation{Operation: HTTPExchange, Control: N, Failure: Timeout}, state: Inconclusive},
		"no neutral Host":                       {to: away, state: Inconclusive},
		"to the app's own site":                 {to: "https://telegram.org/", n: answered, state: OK},
		"within verified TLS, whatever it says": {to: away, n: answered, state: OK},
	} {
		target := led(T, test.to)
		if what == "within verified TLS, whatever it says" {
			target.Transport, target.HTTP.Verified = "tls", true
		}
		v := newView(&Measurement{App: "alpha", Observations: test.over}, &Measurement{}, &Line{}, nil)
		f := judge(ofToday(httpRules), &Case{view: v, Layer: LayerHTTP, Family: IPv4, Name: name, Target: TargetInfo{ID: "web", Hosts: []string{name}}, T: target, N: test.n})
		if f == nil {
			f = &Finding{State: OK}
		}
		if f.State != test.state || f.Confidence != test.confidence {
			t.Errorf("%s: %+v", what, f)
		}
	}
}
