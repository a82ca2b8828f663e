package measurements

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"
)

const (
	here  = "203.0.113.1:443"
	there = "198.51.100.1:443"
)

var morning = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// heard is a round in which a live line met something at one target, and what R said of it.
func heard(at time.Time, r *Reference, seen ...Observation) *Round {
	gate := Measurement{App: ControlApp, Started: at, Targets: []TargetInfo{{ID: "a", Operator: "A"}, {ID: "b", Operator: "B"}}}
	for _, host := range []string{"a", "b"} {
		gate.Observations = append(gate.Observations,
			Observation{Target: host, Operation: Resolve, Name: host, Family: IPv4, DNS: &DNS{}},
			Observation{Target: host, Operation: Connect, Family: IPv4},
			Observation{Target: host, Operation: TLSHandshake, Family: IPv4})
	}
	app := Measurement{App: "telegram", Started: at, Targets: []TargetInfo{{ID: "web", Hosts: []string{"web.telegram.org"}, Essential: true}, {ID: "dc1", Essential: true}}, Reference: r, Observations: seen}
	return &Round{Started: at, Gate: gate, Apps: []Measurement{app}}
}

// resolved is the resolver's answer that leads to both addresses.
func resolved() Observation {
	return Observation{Target: "web", Operation: Resolve, Name: "web.telegram.org", Family: IPv4,
		DNS: &DNS{Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("198.51.100.1")}}}
}

func met(op Operation, endpoint string, f Failure) Observation {
	o := Observation{Target: "web", Operation: op, Family: IPv4, Endpoint: endpoint, Failure: f, Transport: "tcp", Trial: 1, Duration: Seconds(10 * time.Second)}
	if op == TLSHandshake {
		o.Name, o.TLS = "web.telegram.org", &TLS{}
	}
	return o
}

// nearby is another target that answers from the network of here: the way there is open.
func nearby(target string) Observation {
	o := met(Connect, "203.0.113.7:443", "")
	o.Target, o.Trial = target, 2
	return o
}

func neutralMet(op Operation, f Failure) Observation {
	o := met(op, here, f)
	o.Control, o.Name = N, "neutral.example.com"
	return o
}

func said(l Layer, s State, endpoints ...ReferenceEndpoint) *Reference {
	return &Reference{At: morning.Add(-time.Minute), Targets: []ReferenceTarget{{Target: "web", Layers: []ReferenceLayer{{Layer: l, Family: IPv4, State: s, Endpoints: endpoints}}}}}
}

func passed(endpoint, name string) ReferenceEndpoint {
	return ReferenceEndpoint{Endpoint: endpoint, Name: name}
}

func died(endpoint, name string, f Failure) ReferenceEndpoint {
	return ReferenceEndpoint{Endpoint: endpoint, Name: name, Failure: f}
}

func layerVerdict(t *testing.T, r *Round, h *History, target string, l Layer) LayerVerdict {
	t.Helper()
	v := Judge(r, h)
	for _, tv := range v.Apps[0].Targets {
		for _, e := range tv.Layers {
			if tv.Target == target && e.Layer == l && e.Signature != DNSRedirect && e.Signature != DNSEncrypted {
				return e
			}
		}
	}
	t.Fatalf("%s has no %s: %+v", target, l, v.Apps[0])
	return LayerVerdict{}
}

// What R says decides between down, blocked and not known; what it does not know decides nothing.
func TestReferenceDecides(t *testing.T) {
	name := "web.telegram.org"
	refused, silent, reset := ConnectionRefused, Timeout, ConnectionReset
	edited := said(LayerTCP, OK, passed(here, ""))
	edited.At = morning.Add(-2 * time.Hour)
	ahead := said(LayerTCP, OK, passed(here, ""))
	ahead.At = morning.Add(time.Hour)
	for _, c := range []struct {
		name  string
		r     *Reference
		layer Layer
		seen  []Observation
		state State
		conf  Confidence
	}{
		{"no R", nil, LayerTCP, []Observation{met(Connect, here, refused)}, Inconclusive, ""},
		{"R has no word", &Reference{None: "unreachable"}, LayerTCP, []Observation{met(Connect, here, refused)}, Inconclusive, ""},
		{"R's word is old in the evidence itself", edited, LayerTCP, []Observation{met(Connect, here, refused)}, Inconclusive, ""},
		{"R's word is of the future", ahead, LayerTCP, []Observation{met(Connect, here, refused)}, Inconclusive, ""},
		{"R did not measure the target", &Reference{At: morning}, LayerTCP, []Observation{met(Connect, here, refused)}, Inconclusive, ""},
		{"R passes at the same endpoint", said(LayerTCP, OK, passed(here, "")), LayerTCP, []Observation{met(Connect, here, refused)}, Blocked, Suspected},
		{"R passes, and we met silence", said(LayerTCP, OK, passed(here, "")), LayerTCP, []Observation{met(Connect, here, silent), nearby("dc1")}, Blocked, Suspected},
		{"R passes, and all of this network is silent", said(LayerTCP, OK, passed(here, "")), LayerTCP, []Observation{met(Connect, here, silent)}, Inconclusive, ""},
		{"R passes elsewhere alone", said(LayerTCP, OK, passed(there, "")), LayerTCP, []Observation{met(Connect, here, refused)}, Inconclusive, ""},
		{"R fails here and passes elsewhere", said(LayerTCP, OK, passed(there, ""), died(here, "", silent)), LayerTCP, []Observation{met(Connect, here, refused)}, Inconclusive, ""},
		{"R fails here as well", said(LayerTCP, Down, died(here, "", silent)), LayerTCP, []Observation{met(Connect, here, refused)}, Down, ""},
		{"R fails at all addresses that it was given", said(LayerTCP, Down, died(there, "", silent)), LayerTCP, []Observation{met(Connect, here, refused)}, Down, ""},
		{"R finds a block itself", said(LayerTCP, Blocked, died(here, "", silent)), LayerTCP, []Observation{met(Connect, here, refused)}, Inconclusive, ""},
		{"nothing fails here", said(LayerTCP, Down, died(here, "", silent)), LayerTCP, []Observation{met(Connect, here, "")}, OK, ""},
		{"the name dies here, R passes", said(LayerTLS, OK, passed(here, name)), LayerTLS, []Observation{resolved(), neutralMet(TLSHandshake, ""), met(TLSHandshake, here, reset)}, Blocked, Likely},
		{"the name dies here and for R", said(LayerTLS, Down, died(here, name, reset)), LayerTLS, []Observation{resolved(), neutralMet(TLSHandshake, ""), met(TLSHandshake, here, reset)}, Inconclusive, ""},
		{"the name dies here, and R finds a block itself", said(LayerTLS, Blocked, died(here, name, reset)), LayerTLS, []Observation{resolved(), neutralMet(TLSHandshake, ""), met(TLSHandshake, here, reset)}, Inconclusive, ""},
		{"R knows another name at this endpoint", said(LayerTLS, OK, passed(here, "t.me")), LayerTLS, []Observation{resolved(), neutralMet(TLSHandshake, reset), met(TLSHandshake, here, reset)}, Inconclusive, ""},
		{"every handshake dies here, R passes", said(LayerTLS, OK, passed(here, name)), LayerTLS, []Observation{resolved(), neutralMet(TLSHandshake, reset), met(TLSHandshake, here, reset)}, Blocked, Suspected},
		{"every handshake dies here and for R", said(LayerTLS, Down, died(here, name, reset)), LayerTLS, []Observation{resolved(), neutralMet(TLSHandshake, reset), met(TLSHandshake, here, reset)}, Down, ""},
	} {
		got := layerVerdict(t, heard(morning, c.r, c.seen...), nil, "web", c.layer)
		if got.State != c.state || got.Confidence != c.conf {
			t.Errorf("%s: %s %s by %s (%q), want %s %s", c.name, got.State, got.Confidence, got.Rule, got.Reasons, c.state, c.conf)
		}
	}
}

// A target that is addresses alone has the same ones for everybody: R's speak for it where all of ours fail.
func TestReferenceOfPinnedAddresses(t *testing.T) {
	at := func(endpoint string, f Failure) Observation {
		o := met(Connect, endpoint, f)
		o.Target = "dc1"
		return o
	}
	r := said(LayerTCP, OK, passed("192.0.2.9:443", ""))
	r.Targets[0].Target = "dc1"
	if got := layerVerdict(t, heard(morning, r, at(here, Timeout), at(there, Timeout), nearby("web")), nil, "dc1", LayerTCP); got.State != Blocked || got.Confidence != Suspected {
		t.Errorf("all of ours fail: %s %s", got.State, got.Confidence)
	}
	if got := layerVerdict(t, heard(morning, r, at(here, Timeout), at(there, "")), nil, "dc1", LayerTCP); got.State != Inconclusive {
		t.Errorf("one of ours fails: %s %s", got.State, got.Confidence)
	}
}

// R's word makes a failure likely only once it is younger than the failure, and where another target fails alike in
// another network, though R passes there as well: a site of theirs near us, or a ban, explains one. Silence must come
// again.
func TestReferenceMustSpeakAfterTheFailureBegan(t *testing.T) {
	for _, c := range []struct {
		name    string
		failure Failure
		between time.Duration // of the two rounds
		word    time.Duration // of R's word, after the first round
		want    Confidence
	}{
		{"refused alone, R passed since", ConnectionRefused, 15 * time.Minute, 5 * time.Minute, Suspected},
		{"silence again, alone, R passed since", Timeout, time.Hour, 50 * time.Minute, Suspected},
		{"refused, the other down for R", ConnectionRefused, 15 * time.Minute, 5 * time.Minute, Suspected},
		{"refused, R passed since", ConnectionRefused, 15 * time.Minute, 5 * time.Minute, Likely},
		{"refused, R's word is older than the failure", ConnectionRefused, 15 * time.Minute, -5 * time.Minute, Suspected},
		{"silence again, R passed since", Timeout, time.Hour, 50 * time.Minute, Likely},
		{"silence again, R's word is older than the failure", Timeout, 30 * time.Minute, -time.Minute, Suspected},
		{"silence a few minutes later is the same silence", Timeout, 10 * time.Minute, 5 * time.Minute, Suspected},
	} {
		alone, down := strings.Contains(c.name, "alone"), strings.Contains(c.name, "down for R")
		other := met(Connect, "198.51.100.9:443", c.failure)
		other.Target = "dc1"
		seen := []Observation{met(Connect, here, c.failure), nearby("dc2"), other}
		if alone {
			seen = seen[:2]
		}
		word := func(at time.Time) *Reference {
			r := said(LayerTCP, OK, passed(here, ""))
			r.At = at
			second := ReferenceTarget{Target: "dc1", Layers: []ReferenceLayer{{Layer: LayerTCP, Family: IPv4, State: OK, Endpoints: []ReferenceEndpoint{passed(other.Endpoint, "")}}}}
			if down {
				second.Layers[0].Endpoints[0].Failure = c.failure
			}
			r.Targets = append(r.Targets, second)
			return r
		}
		var h History
		first := heard(morning, word(morning.Add(-time.Minute)), seen...)
		v := Judge(first, &h)
		h.Learn(first, &v)
		second := heard(morning.Add(c.between), word(morning.Add(c.word)), seen...)
		if got := layerVerdict(t, second, &h, "web", LayerTCP); got.State != Blocked || got.Confidence != c.want {
			t.Errorf("%s: %s %s (%q), want %s", c.name, got.State, got.Confidence, got.Reasons, c.want)
		}
	}
}

// NXDOMAIN is down where R is told the same, and nothing of the kind where R resolves the name.
func TestReferenceOnNames(t *testing.T) {
	denied := Observation{Target: "web", Operation: Resolve, Name: "web.telegram.org", Family: IPv4, Failure: DNSNXDomain, DNS: &DNS{Rcode: 3, Resolver: SystemResolver}}
	second := denied
	second.Control, second.DNS = D, &DNS{Rcode: 3, Resolver: "https://dns.example/dns-query"}
	honest := second
	honest.Failure, honest.DNS = "", &DNS{Resolver: "https://dns.example/dns-query", Addresses: resolved().DNS.Addresses}
	after := Observation{Target: "web", Operation: Resolve, Control: N, Name: "www.example.net", Family: IPv4, DNS: &DNS{Resolver: SystemResolver, Addresses: resolved().DNS.Addresses}}
	names := func(n ReferenceName) *Reference {
		n.Name, n.Family = "web.telegram.org", IPv4
		return &Reference{At: morning, Targets: []ReferenceTarget{{Target: "web", Names: []ReferenceName{n}}}}
	}
	gone, there4 := names(ReferenceName{Failure: DNSNXDomain}), names(ReferenceName{Addresses: []string{"203.0.113.1"}})
	for _, c := range []struct {
		name      string
		r         *Reference
		seen      []Observation
		state     State
		signature Signature
	}{
		{"denied by all, no R", nil, []Observation{denied, second}, Inconclusive, ServiceMoved},
		{"denied by all and for R", gone, []Observation{denied, second}, Down, ServiceMoved},
		{"denied for us and for R, D silent", gone, []Observation{denied}, Down, ServiceMoved},
		{"denied by all here, resolved for R", there4, []Observation{denied, second}, Inconclusive, DNSNXDomainSig},
		{"denied for R, and D's address proves itself", gone, []Observation{denied, after, honest, met(TLSHandshake, here, "")}, Blocked, DNSNXDomainSig},
		{"the same, and nobody asked for a neutral name", gone, []Observation{denied, honest, met(TLSHandshake, here, "")}, Inconclusive, DNSNXDomainSig},
		{"an answer without its record", gone, []Observation{{Target: "web", Operation: Resolve, Name: "web.telegram.org", Family: IPv4, Failure: DNSNXDomain}}, Inconclusive, DNSNXDomainSig},
		{"R was refused, not denied", names(ReferenceName{Failure: DNSRefused}), []Observation{denied, second}, Inconclusive, ServiceMoved},
	} {
		if got := layerVerdict(t, heard(morning, c.r, c.seen...), nil, "web", LayerDNS); got.State != c.state || got.Signature != c.signature {
			t.Errorf("%s: %s %s by %s, want %s %s", c.name, got.State, got.Signature, got.Rule, c.state, c.signature)
		}
	}
}

// A chain that leads to no root is the server's own where R was shown the same key.
func TestReferenceKnowsTheKey(t *testing.T) {
	der := selfSigned(t)
	foreign := func(endpoint string) Observation {
		o := met(TLSHandshake, endpoint, SSLUnknownAuthority)
		o.TLS = &TLS{ChainRoot: "none", LeafIssuer: "Own", Chain: [][]byte{der}}
		return o
	}
	vouched := resolved()
	vouched.Control, vouched.DNS = D, &DNS{Resolver: "https://dns.example/dns-query", Addresses: vouched.DNS.Addresses}
	seen := []Observation{resolved(), vouched, foreign(here), foreign(there)}
	for _, c := range []struct {
		name  string
		key   string
		state State
	}{{"another key", KeyOf(selfSigned(t)), Blocked}, {"the same key", KeyOf(der), Inconclusive}} {
		r := said(LayerTLS, OK, ReferenceEndpoint{Endpoint: here, Name: "web.telegram.org", Keys: []string{c.key}})
		if got := layerVerdict(t, heard(morning, r, seen...), nil, "web", LayerTLS); got.State != c.state {
			t.Errorf("%s: %s %s by %s, want %s", c.name, got.State, got.Signature, got.Rule, c.state)
		}
	}
	if KeyOf(nil) != "" || KeyOf([]byte("no certificate")) != "" {
		t.Error("what is no certificate has a key")
	}
}

func selfSigned(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: morning}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
