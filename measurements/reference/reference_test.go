package reference

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

var (
	at          = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	secret      = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	public      = secret.Public().(ed25519.PublicKey)
	otherSecret = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
)

func sample() *Answer {
	return &Answer{Schema: Schema, Time: at, Apps: []App{{App: "telegram", Targets: []measurements.ReferenceTarget{{
		Target: "web",
		Names:  []measurements.ReferenceName{{Name: "web.telegram.org", Family: measurements.IPv4, Addresses: []string{"203.0.113.1"}}},
		Layers: []measurements.ReferenceLayer{{Layer: measurements.LayerTCP, Family: measurements.IPv4, State: measurements.OK,
			Endpoints: []measurements.ReferenceEndpoint{{Endpoint: "203.0.113.1:443"}}}},
	}}}}}
}

func signedSample(t testing.TB) []byte {
	b, err := Sign(sample(), secret)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What was signed is what is read; everything else is refused, each for its own reason.
func TestOpen(t *testing.T) {
	good := signedSample(t)
	var envelope signed
	if err := json.Unmarshal(good, &envelope); err != nil {
		t.Fatal(err)
	}
	form := func(s signed) []byte {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	changed := bytes.Replace(envelope.Payload, []byte(`"telegram"`), []byte(`"whatsapp"`), 1)
	says := func(a *Answer) []byte {
		payload, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		return form(signed{payload, ed25519.Sign(secret, payload)})
	}
	edit := func(f func(*Answer)) []byte {
		a := sample()
		f(a)
		return says(a)
	}
	layer := func(a *Answer) *measurements.ReferenceLayer { return &a.Apps[0].Targets[0].Layers[0] }
	for _, c := range []struct {
		name string
		body []byte
		now  time.Time
		want error
	}{
		{"right away", good, at, nil},
		{"an hour later", good, at.Add(time.Hour), nil},
		{"our clock is behind by five minutes", good, at.Add(-5 * time.Minute), nil},
		{"too old", good, at.Add(time.Hour + time.Second), ErrStale},
		{"too new", good, at.Add(-5*time.Minute - time.Second), ErrFuture},
		{"cut short", good[:len(good)/2], at, ErrMalformed},
		{"nothing", nil, at, ErrMalformed},
		{"a page", []byte("<html>"), at, ErrMalformed},
		{"a further key outside of the signature", append([]byte(`{"note":1,`), good[1:]...), at, ErrMalformed},
		{"two answers", append(append([]byte{}, good...), good...), at, ErrMalformed},
		{"without a signature", form(signed{Payload: envelope.Payload}), at, ErrSignature},
		{"another payload under the signature", form(signed{changed, envelope.Signature}), at, ErrSignature},
		{"signed by somebody else", form(signed{envelope.Payload, ed25519.Sign(otherSecret, envelope.Payload)}), at, ErrSignature},
		{"too large", append(good, bytes.Repeat([]byte{' '}, MaxBytes)...), at, ErrTooLarge},
		{"another schema", edit(func(a *Answer) { a.Schema = "telltale/reference/v2" }), at, ErrMalformed},
		{"no time", edit(func(a *Answer) { a.Time = time.Time{} }), at, ErrMalformed},
		{"no list at all", form(signed{[]byte(`[]`), ed25519.Sign(secret, []byte(`[]`))}), at, ErrMalformed},
		{"down and up at once", edit(func(a *Answer) { layer(a).State = measurements.Down }), at, ErrMalformed},
		{"up with nothing that passes", edit(func(a *Answer) { layer(a).Endpoints[0].Failure = measurements.Timeout }), at, ErrMalformed},
		{"no endpoint", edit(func(a *Answer) { layer(a).Endpoints[0].Endpoint = "web.telegram.org:443" }), at, ErrMalformed},
		{"no family", edit(func(a *Answer) { layer(a).Family = "ipx" }), at, ErrMalformed},
		{"a long text", edit(func(a *Answer) { layer(a).Endpoints[0].Name = strings.Repeat("a", 256) }), at, ErrMalformed},
		{"many targets", edit(func(a *Answer) { a.Apps[0].Targets = make([]measurements.ReferenceTarget, maxTargets+1) }), at, ErrMalformed},
	} {
		a, err := Open(c.body, public, c.now)
		if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if (err == nil) != (a != nil) {
			t.Errorf("%s: an answer %v with error %v", c.name, a, err)
		}
	}
	if _, err := Open(good, nil, at); !errors.Is(err, ErrSignature) {
		t.Errorf("without a key: %v", err)
	}
}

// A reference can't sign what nobody would take.
func TestSignRefuses(t *testing.T) {
	a := sample()
	a.Apps[0].Targets[0].Layers[0].Endpoints = nil
	if _, err := Sign(a, secret); err == nil {
		t.Error("a layer without endpoints was signed")
	}
	if _, err := Sign(sample(), secret[:3]); err == nil {
		t.Error("signed without a key")
	}
}

func TestAbout(t *testing.T) {
	a := sample()
	if r := a.About("telegram"); r.None != "" || len(r.Targets) != 1 || !r.At.Equal(at) {
		t.Errorf("telegram: %+v", r)
	}
	if r := a.About("line"); r.None == "" || len(r.Targets) != 0 {
		t.Errorf("an app that it does not measure: %+v", r)
	}
}

// round is one of the reference's own.
func round(observations ...measurements.Observation) *measurements.Round {
	return &measurements.Round{Started: at, Apps: []measurements.Measurement{{App: "telegram", Targets: []measurements.TargetInfo{{ID: "web"}}, Observations: observations}}}
}

func verdict(layers ...measurements.LayerVerdict) *measurements.RoundVerdict {
	alive, dead := true, false
	return &measurements.RoundVerdict{
		Network: measurements.NetworkVerdict{State: measurements.OK, IPv4: &alive, IPv6: &dead},
		Apps:    []measurements.AppVerdict{{App: "telegram", Targets: []measurements.TargetVerdict{{Target: "web", Layers: layers}}}},
	}
}

func step(op measurements.Operation, f measurements.Failure, c measurements.Control) measurements.Observation {
	o := measurements.Observation{Target: "web", Operation: op, Failure: f, Control: c, Family: measurements.IPv4, Endpoint: "203.0.113.1:443", Transport: "tcp"}
	if op == measurements.TLSHandshake || op == measurements.HTTPExchange || op == measurements.QUICHandshake {
		o.Name, o.Transport = "web.telegram.org", "tls"
	}
	if c == measurements.N {
		o.Name = "neutral.example.com"
	}
	return o
}

// Of says of a layer what was measured, and no more.
func TestOf(t *testing.T) {
	found := func(l measurements.Layer, s measurements.State, rule string) measurements.LayerVerdict {
		return measurements.LayerVerdict{Layer: l, Family: measurements.IPv4, State: s, Rule: rule}
	}
	tls, reset, timeout := measurements.TLSHandshake, measurements.ConnectionReset, measurements.Timeout
	answered := func(status int, verified bool) measurements.Observation {
		o := step(measurements.HTTPExchange, "", measurements.T)
		o.HTTP = &measurements.HTTP{Status: status, Verified: verified}
		return o
	}
	six := step(measurements.Connect, timeout, measurements.T)
	six.Family, six.Endpoint = measurements.IPv6, "[2001:db8::1]:443"
	for _, c := range []struct {
		name    string
		round   *measurements.Round
		verdict *measurements.RoundVerdict
		layer   measurements.Layer
		want    measurements.State
	}{
		{"passes", round(step(tls, "", measurements.T)), verdict(found(measurements.LayerTLS, measurements.OK, "passes")), measurements.LayerTLS, measurements.OK},
		{"fails for everybody", round(step(measurements.Connect, timeout, measurements.T)), verdict(found(measurements.LayerTCP, measurements.Inconclusive, "tcp-connect-fails")), measurements.LayerTCP, measurements.Down},
		{"is blocked where the reference stands", round(step(tls, "", measurements.N), step(tls, reset, measurements.T)), verdict(found(measurements.LayerTLS, measurements.Blocked, "tls-dies-with-name")), measurements.LayerTLS, measurements.Blocked},
		{"refused for everybody, which looks like a block to the reference as well", round(step(measurements.Connect, measurements.ConnectionRefused, measurements.T)),
			verdict(measurements.LayerVerdict{Layer: measurements.LayerTCP, Family: measurements.IPv4, State: measurements.Blocked, Signature: measurements.TCPRefused}), measurements.LayerTCP, measurements.Down},
		{"the reference's line is full", round(step(tls, timeout, measurements.T)), verdict(found(measurements.LayerTLS, measurements.Inconclusive, "line-congested")), measurements.LayerTLS, ""},
		{"the reference's own box", round(step(tls, timeout, measurements.T)), verdict(found(measurements.LayerTLS, measurements.Local, "line-intercepted")), measurements.LayerTLS, ""},
		{"N alone was made", round(step(tls, "", measurements.N)), verdict(), measurements.LayerTLS, ""},
		{"connected for N", round(step(measurements.Connect, "", measurements.N)), verdict(found(measurements.LayerTCP, measurements.OK, "passes")), measurements.LayerTCP, measurements.OK},
		{"a service in trouble is neither", round(answered(503, true)), verdict(found(measurements.LayerHTTP, measurements.Down, "service-down")), measurements.LayerHTTP, ""},
		{"a page", round(answered(200, true)), verdict(found(measurements.LayerHTTP, measurements.OK, "passes")), measurements.LayerHTTP, measurements.OK},
		{"an imposter's page", round(answered(200, false)), verdict(), measurements.LayerHTTP, ""},
		{"a family that is dead there", round(six), verdict(), measurements.LayerTCP, ""},
		{"QUIC where its line has none", round(step(measurements.QUICHandshake, timeout, measurements.T)), verdict(found(measurements.LayerQUIC, measurements.Inconclusive, "quic-udp443-dead")), measurements.LayerQUIC, ""},
	} {
		a, ok := Of(c.round, c.verdict)
		if !ok {
			t.Errorf("%s: no answer", c.name)
			continue
		}
		got := measurements.State("")
		for _, target := range a.Apps[0].Targets {
			for _, l := range target.Layers {
				if l.Layer == c.layer {
					got = l.State
				}
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if _, err := Sign(&a, secret); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	broken := verdict()
	broken.Network.State = measurements.Inconclusive
	if _, ok := Of(round(step(tls, "", measurements.T)), broken); ok {
		t.Error("a reference whose own line was not ok spoke")
	}
}

// What an edge answers N with stands beside what it answers the target with.
func TestOfTellsTheNeutralAnswer(t *testing.T) {
	a, _ := Of(round(step(measurements.TLSHandshake, measurements.TLSAlert(112), measurements.N), step(measurements.TLSHandshake, "", measurements.T)), verdict())
	e := a.Apps[0].Targets[0].Layers[0].Endpoints[0]
	if e.Neutral != "tls_alert_112" || e.Failure != "" || e.Name != "web.telegram.org" {
		t.Errorf("%+v", e)
	}
}

// A name that the reference itself finds censored is not passed on as gone.
func TestOfLeavesLiesOut(t *testing.T) {
	o := measurements.Observation{Target: "web", Operation: measurements.Resolve, Name: "web.telegram.org", Family: measurements.IPv4,
		Failure: measurements.DNSNXDomain, DNS: &measurements.DNS{Rcode: 3}}
	honest, _ := Of(round(o), verdict())
	if n := honest.Apps[0].Targets[0].Names; len(n) != 1 || n[0].Failure != measurements.DNSNXDomain {
		t.Errorf("a name that is gone: %+v", n)
	}
	o.DNS.Addresses = []netip.Addr{netip.MustParseAddr("10.10.34.34")}
	lied, _ := Of(round(o), verdict(measurements.LayerVerdict{Layer: measurements.LayerDNS, Family: measurements.IPv4, State: measurements.Blocked}))
	if targets := lied.Apps[0].Targets; len(targets) != 0 {
		t.Errorf("a lie was passed on: %+v", targets)
	}
}

// FuzzOpen: whatever a network sends in an answer's place is refused or read, and never believed without
// the signature.
func FuzzOpen(f *testing.F) {
	good := signedSample(f)
	f.Add(good, []byte(`{}`))
	f.Add(good[:20], []byte(`{"schema":"telltale/reference/v1","time":"2026-11-23T08:00:00Z","apps":[{"app":"a","targets":[{"target":"b","layers":[{"layer":"tcp","ip_family":"ipv4","state":"ok","endpoints":[{"endpoint":"1.2.3.4:5"}]}]}]}]}`))
	f.Add([]byte(`{"payload":"","signature":""}`), []byte(`[`))
	f.Fuzz(func(t *testing.T, body, payload []byte) {
		if a, err := Open(body, public, at); err == nil && !bytes.Equal(body, good) {
			var s signed
			if json.Unmarshal(body, &s) != nil || !ed25519.Verify(public, s.Payload, s.Signature) {
				t.Fatalf("an unsigned answer was taken: %+v", a)
			}
		}
		enveloped, err := json.Marshal(signed{payload, ed25519.Sign(secret, payload)})
		if err != nil {
			t.Skip()
		}
		a, err := Open(enveloped, public, at)
		if err != nil {
			return
		}
		if _, err := Sign(a, secret); err != nil && !errors.Is(err, ErrTooLarge) {
			t.Fatalf("what was taken can't be said again: %v", err)
		}
	})
}
