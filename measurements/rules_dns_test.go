package measurements

import (
	"net/netip"
	"testing"
	"time"
)

// Three lost queries look like a resolver that is silent about a name. It is not, if it has just
// answered for the other family; one that is silent for both is suspected.
func TestSilenceForOneFamily(t *testing.T) {
	const name = "chat.alpha.example.net"
	silent := func(f Family) *Observation {
		return &Observation{Operation: Resolve, Family: f, Name: name, Failure: Timeout, DNS: &DNS{Resolver: SystemResolver, Rcode: -1}}
	}
	answered := &Observation{Operation: Resolve, Family: IPv6, Name: name, DNS: &DNS{Resolver: SystemResolver, Rcode: 0}}
	neutral := &Observation{Operation: Resolve, Control: N, Family: IPv4, DNS: &DNS{Resolver: SystemResolver, Rcode: 0}}
	trusted := &Observation{Operation: Resolve, Control: D, Family: IPv4, Name: name, DNS: &DNS{Resolver: "tcp://192.0.2.1:53", Rcode: 0, Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.7")}}}
	for what, test := range map[string]struct {
		other, neutral *Observation
		want           State
	}{
		"both families":             {silent(IPv6), neutral, Blocked},
		"one family":                {answered, neutral, Inconclusive},
		"the other was not asked":   {nil, neutral, Blocked},
		"silent about all":          {silent(IPv6), silent(IPv4), Inconclusive},
		"who knows what it answers": {silent(IPv6), nil, Inconclusive},
	} {
		v := newView(&Measurement{App: "alpha"}, &Measurement{}, &Line{Answers: true}, nil)
		v.system[wanted{name, IPv4}] = silent(IPv4)
		if test.other != nil {
			v.system[wanted{name, IPv6}] = test.other
		}
		v.trusted[wanted{name, IPv4}] = []*Observation{trusted}
		v.proved[named{name, trusted.DNS.Addresses[0]}] = true
		if test.neutral != nil {
			v.neutral[placed{"", IPv4}] = test.neutral
		}
		c := &Case{view: v, Layer: LayerDNS, Family: IPv4, Name: name, Endpoint: name, T: silent(IPv4)}
		f := judge(ofToday(dnsRules), c)
		if f.State != test.want || f.Signature != DNSTimeoutSig {
			t.Errorf("%s: %s %s, want %s", what, f.State, f.Signature, test.want)
		}
	}
}

// An answer whose hop limit no answer about a neutral name had was sent from elsewhere; that is said of what
// is blocked, and is no proof by itself.
func TestAnswerFromElsewhereOnThePath(t *testing.T) {
	told := func(transport string, hops int) *DNS {
		return &DNS{Resolver: SystemResolver, Transport: transport, HopLimit: hops}
	}
	gate := &Measurement{Observations: []Observation{
		{Operation: Resolve, DNS: told("udp", 57)}, {Operation: Resolve, DNS: told("tcp", 0)}, {Operation: Resolve, DNS: told("udp", 56)},
		{Operation: Resolve, Control: D, DNS: told("udp", 40)},
	}}
	for _, test := range []struct {
		d    *DNS
		gate *Measurement
		want bool
	}{
		{told("udp", 44), gate, true},
		{told("udp", 40), gate, true}, // as another resolver's
		{told("udp", 57), gate, false},
		{told("udp", 56), gate, false},
		{told("udp", 0), gate, false},
		{told("tcp", 44), gate, false},
		{told("udp", 44), &Measurement{}, false},
		{nil, gate, false},
	} {
		c := &Case{view: newView(&Measurement{}, test.gate, &Line{}, nil), Layer: LayerDNS, T: &Observation{Operation: Resolve, DNS: test.d}}
		if got := c.otherHops() != ""; got != test.want {
			t.Errorf("%+v: got %v", test.d, got)
		}
	}
}

// What comes from behind a stub is one more look at the stub's own answer: contradiction there is proof,
// unless programs got an address that proves itself; it is no second opinion, and a look of its own
// neither adds a failure nor takes one away.
func TestBehindAStub(t *testing.T) {
	t.Parallel()
	const name = "chat.alpha.example.net"
	forged, honest := netip.MustParseAddr("198.51.100.99"), netip.MustParseAddr("203.0.113.7")
	resolve := func(behind bool, addrs ...netip.Addr) Observation {
		o := Observation{Target: "chat", Operation: Resolve, Family: IPv4, Name: name, DNS: &DNS{Resolver: SystemResolver, Class: "home", Addresses: addrs, Behind: behind}}
		if behind {
			o.Control = D
		}
		return o
	}
	proof := Observation{Target: "chat", Operation: TLSHandshake, Family: IPv4, Name: name, Endpoint: honest.String() + ":443", Conn: 1, TLS: &TLS{Shape: Small, ChainRoot: RootBundle}}
	other := proof
	other.Endpoint, other.Conn, other.Failure, other.TLS = forged.String()+":443", 2, SSLInvalidHostname, &TLS{Shape: Small, ChainRoot: RootBundle}
	late := resolve(true, forged)
	late.DNS.Late = []DNSAnswer{{Addresses: []netip.Addr{honest}}}
	denied := resolve(true)
	denied.Failure, denied.DNS.Rcode = DNSRefused, 5
	for what, test := range map[string]struct {
		seen      []Observation
		state     State
		signature Signature
		confirmed bool
	}{
		"the stub passed the forged answer on":        {[]Observation{resolve(false, forged), late, proof, other}, Blocked, DNSInjectOther, true},
		"programs got the right answer all the same":  {[]Observation{resolve(false, honest), late, proof}, OK, "", false},
		"the one behind refuses, programs are served": {[]Observation{resolve(false, honest), denied, proof}, OK, "", false},
		"nothing proves itself":                       {[]Observation{resolve(false, forged), late}, OK, "", false},
	} {
		m := Measurement{App: "app", Targets: []TargetInfo{{ID: "chat", Hosts: []string{name}, Essential: true}}, Observations: test.seen}
		if err := m.Check(); err != nil {
			t.Fatal(err)
		}
		v := Judge(&Round{Started: eight, Gate: neighbours(""), Apps: []Measurement{m}}, nil)
		for _, l := range v.Apps[0].Targets[0].Layers {
			if l.Layer != LayerDNS {
				continue
			}
			if l.State != test.state || l.Signature != test.signature || (l.Confidence == Confirmed) != test.confirmed || l.Endpoints.Measured != 1 {
				t.Errorf("%s: %+v", what, l)
			}
		}
	}
}

// A private address that proves itself for the name is right (rule 2): the house has a server of its own, and
// so says a resolver whose answer the configuration names. One that proves nothing is a bogon.
func TestPrivateAnswer(t *testing.T) {
	t.Parallel()
	const name = "chat.alpha.example.net"
	here, elsewhere := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("203.0.113.7")
	for what, test := range map[string]struct {
		failure Failure
		proved  []netip.Addr
		state   State
	}{
		"it proves itself":       {DNSBogon, []netip.Addr{here, elsewhere}, OK},
		"another proves itself":  {DNSBogon, []netip.Addr{elsewhere}, Blocked},
		"nothing proves itself":  {DNSBogon, nil, Inconclusive},
		"the configuration's":    {"", nil, OK}, // and unproved: its server may be down
		"the configuration's, D": {"", []netip.Addr{elsewhere}, OK},
	} {
		v := newView(&Measurement{App: "alpha"}, &Measurement{}, &Line{Answers: true}, nil)
		o := &Observation{Operation: Resolve, Family: IPv4, Name: name, Failure: test.failure, DNS: &DNS{Resolver: SystemResolver, Addresses: []netip.Addr{here}}}
		v.trusted[wanted{name, IPv4}] = []*Observation{{Operation: Resolve, Control: D, Name: name, DNS: &DNS{Resolver: "tcp://192.0.2.1:53", Addresses: []netip.Addr{elsewhere, here}}}}
		for _, a := range test.proved {
			v.proved[named{name, a}] = true
		}
		f := judge(ofToday(dnsRules), &Case{view: v, Layer: LayerDNS, Family: IPv4, Name: name, Endpoint: name, T: o})
		if f.State != test.state {
			t.Errorf("%s: %s %s by %s, want %s", what, f.State, f.Signature, f.Rule, test.state)
		}
	}
}

// Two answers to one query are proof where the first states what is false and another than the resolver sent it, or
// the later one leads to an address that proves itself. A failure, and an address that only did not prove itself, are
// no lies; and a resolver inside the home is suspected at most.
func TestConflictingAnswers(t *testing.T) {
	t.Parallel()
	const name = "chat.alpha.example.net"
	first, honest, bogon := netip.MustParseAddr("198.51.100.99"), netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("10.1.2.3")
	ms := func(n int) Seconds { return Seconds(n) * Seconds(time.Millisecond) }
	for what, test := range map[string]struct {
		failure    Failure
		addr       netip.Addr
		after      Seconds // of the resolver's usual 50 ms
		hops       int     // of the usual 57
		home       bool
		unproved   bool // the later answer's address; control D gives it
		imposter   bool
		state      State
		signature  Signature
		confidence Confidence
	}{
		"denied, the truth proves itself":     {failure: DNSNXDomain, after: ms(50), state: Blocked, signature: DNSNXDomainSig, confidence: Confirmed},
		"denied, nothing proves itself":       {failure: DNSNXDomain, after: ms(50), unproved: true},
		"denied in haste":                     {failure: DNSNXDomain, after: ms(20), unproved: true, state: Blocked, signature: DNSNXDomainSig, confidence: Confirmed},
		"denied from elsewhere":               {failure: DNSNXDomain, after: ms(50), hops: 40, unproved: true, state: Blocked, signature: DNSNXDomainSig, confidence: Confirmed},
		"another way of the same resolver":    {failure: DNSNXDomain, after: ms(50), hops: 56, unproved: true},
		"denied at home":                      {failure: DNSNXDomain, after: ms(50), home: true, state: Blocked, signature: DNSNXDomainSig, confidence: Suspected},
		"failed":                              {failure: DNSServfail, after: ms(50), state: Inconclusive, signature: DNSServfailSig},
		"failed in haste":                     {failure: DNSServfail, after: ms(20), state: Blocked, signature: DNSServfailSig, confidence: Suspected},
		"refused":                             {failure: DNSRefused, after: ms(50), state: Inconclusive, signature: DNSRefusedSig},
		"no address, and then one":            {failure: DNSNoAnswer, after: ms(50), state: Inconclusive, signature: DNSNoAnswerSig},
		"no address in haste":                 {failure: DNSNoAnswer, after: ms(20), state: Blocked, signature: DNSNoAnswerSig, confidence: Confirmed},
		"a bogon":                             {failure: DNSBogon, addr: bogon, after: ms(50), state: Blocked, signature: DNSInjectBogon, confidence: Confirmed},
		"somebody else's address":             {addr: first, after: ms(50), imposter: true, state: Blocked, signature: DNSInjectOther, confidence: Confirmed},
		"an address that says nothing":        {addr: first, after: ms(50), state: Inconclusive, signature: DNSInjectOther},
		"an address that says nothing, haste": {addr: first, after: ms(20), state: Blocked, signature: DNSInjectOther, confidence: Likely},
	} {
		late := DNSAnswer{Addresses: []netip.Addr{honest}, HopLimit: 57}
		o := &Observation{Operation: Resolve, Family: IPv4, Name: name, Failure: test.failure, Duration: test.after, DNS: &DNS{Resolver: SystemResolver, Transport: "udp", Attempts: 1, HopLimit: 57, Late: []DNSAnswer{late}}}
		if test.addr.IsValid() {
			o.DNS.Addresses = []netip.Addr{test.addr}
		}
		if test.hops != 0 {
			o.DNS.HopLimit = test.hops
		}
		if test.home {
			o.DNS.Class = "home"
		}
		usual := Observation{Operation: Resolve, Duration: ms(50), DNS: &DNS{Resolver: SystemResolver, Transport: "udp", Attempts: 1, HopLimit: 57}}
		v := newView(&Measurement{App: "alpha"}, &Measurement{Observations: []Observation{usual, usual}}, &Line{Answers: true}, nil)
		v.proved[named{name, honest}] = !test.unproved
		v.trusted[wanted{name, IPv4}] = []*Observation{{Operation: Resolve, Control: D, DNS: &DNS{Resolver: "https://dns.example/", Transport: "doh", Addresses: []netip.Addr{honest}}}}
		if test.imposter {
			v.imposter[named{name, first}] = &Observation{Failure: SSLInvalidHostname}
		}
		f := conflictingAnswers(&Case{view: v, Layer: LayerDNS, Family: IPv4, Name: name, T: o})
		if f == nil {
			f = &Finding{}
		}
		if f.State != test.state || f.Signature != test.signature || f.Confidence != test.confidence {
			t.Errorf("%s: %+v", what, f)
		}
	}
}

// A block page's address is proof. Inside the home it is suspected until it is heard beyond; and what an encrypted
// second opinion gives as well is no lie.
func TestBlockAddress(t *testing.T) {
	t.Parallel()
	const name = "chat.alpha.example.net"
	page, honest := netip.MustParseAddr("10.10.34.36"), netip.MustParseAddr("203.0.113.7")
	told := func(resolver, transport string, a netip.Addr, behind bool) *Observation {
		return &Observation{Operation: Resolve, Control: D, Family: IPv4, Name: name, DNS: &DNS{Resolver: resolver, Transport: transport, Addresses: []netip.Addr{a}, Behind: behind}}
	}
	for what, test := range map[string]struct {
		class      string
		others     []*Observation
		confidence Confidence
	}{
		"the provider's resolver":       {"public", []*Observation{told("https://dns.example/", "doh", honest, false)}, Confirmed},
		"the home's":                    {"home", []*Observation{told("https://dns.example/", "doh", honest, false)}, Suspected},
		"the home's, over TCP again":    {"home", []*Observation{told(SystemResolver, "tcp", page, false)}, Suspected},
		"the home's, and one behind it": {"home", []*Observation{told(SystemResolver, "udp", page, true)}, Confirmed},
		"the home's, and one in clear":  {"home", []*Observation{told("tcp://192.0.2.1", "tcp", page, false)}, Confirmed},
		"and one over TLS":              {"public", []*Observation{told("tls://192.0.2.1", "dot", page, false)}, ""},
	} {
		m := &Measurement{App: "alpha"}
		o := told(SystemResolver, "udp", page, false)
		o.Control, o.Failure, o.DNS.Class = T, DNSBogon, test.class
		m.Observations = append(m.Observations, *o)
		for _, d := range test.others {
			m.Observations = append(m.Observations, *d)
		}
		v := newView(m, &Measurement{}, &Line{Answers: true}, nil)
		f := judge(ofToday(dnsRules), &Case{view: v, Layer: LayerDNS, Family: IPv4, Name: name, T: o})
		if (f.Signature == DNSInjectBlockpage) != (test.confidence != "") || f.Confidence != test.confidence {
			t.Errorf("%s: %+v", what, f)
		}
	}
}

// A failure is a denial where the resolver fails each time that it is asked again, for no name by chance, and does not
// say that others are at fault; silence is one where patience does not end it, and control D's address is one.
func TestFailuresOfTheResolversOwn(t *testing.T) {
	t.Parallel()
	const name = "chat.alpha.example.net"
	honest := netip.MustParseAddr("203.0.113.7")
	further := func(how string, f Failure, rcode int, codes ...int) *Observation {
		o := &Observation{Operation: Resolve, Control: D, Family: IPv4, Name: name, Failure: f, DNS: &DNS{Resolver: SystemResolver, Rcode: rcode, Further: how, Extended: codes}}
		if f == "" {
			o.DNS.Addresses = []netip.Addr{honest}
		}
		return o
	}
	refused, silent := further(AskedAgain, DNSRefused, 5), further(AskedPatiently, Timeout, -1)
	unchecked, servfail := further(AskedUnchecked, DNSServfail, 2), further(AskedAgain, DNSServfail, 2)
	type list = []*Observation
	for what, test := range map[string]struct {
		failure    Failure
		codes      []int
		further    list
		unsteady   Failure
		unproved   bool
		confidence Confidence // "" is inconclusive
	}{
		"refused, each time":                     {failure: DNSRefused, further: list{refused, refused}, confidence: Likely},
		"refused, and then not":                  {failure: DNSRefused, further: list{further(AskedAgain, "", 0)}},
		"refused twice, and then not":            {failure: DNSRefused, further: list{refused, further(AskedAgain, "", 0)}},
		"refused twice, not asked again":         {failure: DNSRefused, further: list{refused}, confidence: Suspected},
		"refused twice, and silent then":         {failure: DNSRefused, further: list{refused, further(AskedAgain, Timeout, -1)}, confidence: Suspected},
		"refused, and silent then":               {failure: DNSRefused, further: list{further(AskedAgain, Timeout, -1)}},
		"refused, not asked again":               {failure: DNSRefused},
		"refused, as other names are by chance":  {failure: DNSRefused, further: list{refused, refused}, unsteady: DNSRefused},
		"refused, where others fail by chance":   {failure: DNSRefused, further: list{refused, refused}, unsteady: DNSServfail, confidence: Likely},
		"failed each time, unchecked too":        {failure: DNSServfail, further: list{unchecked, servfail}, confidence: Suspected}, // in one round
		"failed, and validates":                  {failure: DNSServfail, further: list{further(AskedUnchecked, "", 0)}},
		"failed, and denies when unchecked":      {failure: DNSServfail, further: list{further(AskedUnchecked, DNSNXDomain, 3)}},
		"failed, and says whose fault":           {failure: DNSServfail, codes: []int{22}, further: list{unchecked, servfail}},
		"failed, and says so when asked again":   {failure: DNSServfail, further: list{further(AskedUnchecked, DNSServfail, 2, 23), servfail}},
		"denied, as the client asked":            {failure: DNSNXDomain, codes: []int{filteredForClient}, confidence: Suspected},
		"denied, blocked by the resolver's word": {failure: DNSNXDomain, codes: []int{15}, confidence: Likely},
		"silent, with patience":                  {failure: Timeout, further: list{silent}, confidence: Suspected},
		"late":                                   {failure: Timeout, further: list{further(AskedPatiently, "", 0)}},
		"fails late":                             {failure: Timeout, further: list{further(AskedPatiently, DNSServfail, 2)}},
		"silent, and D's address is dead":        {failure: Timeout, further: list{silent}, unproved: true},
	} {
		o := &Observation{Operation: Resolve, Family: IPv4, Name: name, Failure: test.failure, DNS: &DNS{Resolver: SystemResolver, Transport: "udp", Extended: test.codes}}
		v := newView(&Measurement{App: "alpha"}, &Measurement{}, &Line{Answers: true, Resolves: map[Family]bool{IPv4: true}, Unsteady: map[Failure]bool{test.unsteady: true}}, nil)
		v.proved[named{name, honest}] = !test.unproved
		v.trusted[wanted{name, IPv4}] = []*Observation{{Operation: Resolve, Control: D, DNS: &DNS{Resolver: "https://dns.example/", Transport: "doh", Addresses: []netip.Addr{honest}}}}
		v.neutral[placed{"", IPv4}] = &Observation{Operation: Resolve, Control: N}
		v.further[wanted{name, IPv4}] = test.further
		f := judge(ofToday(dnsRules), &Case{view: v, Layer: LayerDNS, Family: IPv4, Name: name, T: o})
		if (f.State == Blocked) != (test.confidence != "") || f.Confidence != test.confidence {
			t.Errorf("%s: %+v", what, f)
		}
	}
}

// What ends when a name is asked for again is chance; what a neutral name meets each time may be a list with that
// name on it, such as those of public resolvers.
func TestUnsteadyResolver(t *testing.T) {
	t.Parallel()
	said := func(name, target string, c Control, f Failure, further string) Observation {
		o := Observation{Operation: Resolve, Control: c, Target: target, Family: IPv4, Name: name, Failure: f, DNS: &DNS{Resolver: SystemResolver, Further: further}}
		if f == "" {
			o.DNS.Addresses = []netip.Addr{netip.MustParseAddr("203.0.113.7")}
		}
		return o
	}
	for what, test := range map[string]struct {
		gate, app []Observation
		unsteady  bool
	}{
		"a neutral name fails each time":  {gate: []Observation{said("dns.example", "g", T, DNSRefused, ""), said("dns.example", "g", D, DNSRefused, AskedAgain)}, app: []Observation{said("dns.example", "a", N, DNSRefused, "")}},
		"a neutral name fails once":       {gate: []Observation{said("dns.example", "g", T, DNSRefused, ""), said("dns.example", "g", D, "", AskedAgain)}, unsteady: true},
		"a neutral name fails later":      {gate: []Observation{said("dns.example", "g", T, "", "")}, app: []Observation{said("dns.example", "a", N, DNSRefused, "")}, unsteady: true},
		"an app's name fails once":        {app: []Observation{said("chat.example", "a", T, DNSRefused, ""), said("chat.example", "a", D, "", AskedAgain)}, unsteady: true},
		"an app's name does not validate": {app: []Observation{said("chat.example", "a", T, DNSServfail, ""), said("chat.example", "a", D, "", AskedUnchecked)}},
	} {
		r := Round{Gate: Measurement{Observations: test.gate}, Apps: []Measurement{{App: "alpha", Observations: test.app}}}
		l := &Line{}
		if l.readResolver(&r.Gate, r.Apps); (len(l.Unsteady) > 0) != test.unsteady {
			t.Errorf("%s: %v", what, l.Unsteady)
		}
	}
}
