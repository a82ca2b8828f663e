package noise

import (
	"net/netip"
	"time"

	ms "github.com/telltale-probe/telltale/measurements"
)

// The steps of a visit, and how they die.
const (
	connect = iota
	handshake
	exchange
	quic
	steps
)

const (
	fast = ms.Seconds(40 * time.Millisecond)
	slow = ms.Seconds(2500 * time.Millisecond)
	// silence is the default timeout of a step.
	silence = ms.Seconds(10 * time.Second)
	// slowInBurst is the share of steps on a bad line that pass late: a line on which one handshake in
	// three dies of silence for ten seconds has retransmitted most of the others.
	slowInBurst = 0.6
)

// Censor blocks one target by its name, from an onset on.
type Censor struct {
	target int
	died   ms.Failure // how: a reset, or silence
	share  float64    // of the handshakes
	onset  time.Time
}

// fate is what one visit of a target in one family meets, step by step. "" is success.
type fate struct {
	dns, trusted ms.Failure
	spots        [2]spot
	unavailable  bool // the server's own 503
	bad          bool // anything failed
	made, part   bool // anything was visited; anything was left alone
}

type spot struct {
	visited, neutral bool
	barred           [2]bool // TCP, QUIC
	n, t             [steps]ms.Failure
	dead             bool
}

// died says whether the visit failed over TCP, or over QUIC: a neutral name's connect counts, too.
func (sp *spot) died(transport int) bool {
	if transport == 1 {
		return sp.t[quic] != ""
	}
	return sp.t[connect] != "" || sp.t[handshake] != "" || sp.t[exchange] != "" || sp.n[connect] != ""
}

// resolve asks the resolver under test.
func (s *state) resolve(i int, now time.Time) ms.Failure {
	switch u := s.rnd.Float64(); {
	case s.resolver.on(now, s.rnd):
		return ms.Timeout
	case s.cached[i].on(now, s.rnd):
		return ms.DNSNXDomain
	case u < s.rates.Unanswered:
		return ms.Timeout
	case u < s.rates.Unanswered+s.rates.Servfail:
		return ms.DNSServfail
	}
	return ""
}

// visit goes through the steps at one address, N first where it is wanted.
func (f *fate) visit(s *state, i int, t *target, k int, neutral bool, c *Censor, now time.Time) {
	sp := &f.spots[k]
	sp.neutral = neutral && t.named()
	f.unavailable = f.unavailable || s.ruin(i, now) == unavailable
	if sp.neutral {
		s.chain(i, t, sp, &sp.n, true, nil, now)
		if sp.n[connect] != "" {
			sp.dead, f.bad = true, true
			return
		}
	}
	s.chain(i, t, sp, &sp.t, false, c, now)
	for step := range steps {
		sp.dead = sp.dead || sp.t[step] != ""
		f.bad = f.bad || sp.t[step] != "" || sp.n[step] != ""
	}
	f.bad = f.bad || f.unavailable
}

// chain makes the steps of one name at one address. What was not reached stays "".
func (s *state) chain(i int, t *target, sp *spot, out *[steps]ms.Failure, neutral bool, c *Censor, now time.Time) {
	for step := connect; step <= exchange && !sp.barred[0]; step++ {
		if out[step] = s.step(i, t, step, neutral, c, now); out[step] != "" || !t.named() {
			break
		}
	}
	if t.quic && !sp.barred[1] {
		out[quic] = s.step(i, t, quic, neutral, c, now)
	}
}

// step says how one step ends: by an outage, by a censor, or by chance.
func (s *state) step(i int, t *target, step int, neutral bool, c *Censor, now time.Time) ms.Failure {
	if died := s.outage(i, t, step, neutral, now); died != "" {
		return died
	}
	if c != nil && c.target == i && step == handshake && !now.Before(c.onset) && s.rnd.Float64() < c.share {
		return c.died
	}
	return s.chance(t, now)
}

// The ways in which a target's server is out of order.
type ruin int

const (
	sound ruin = iota
	unreachable
	refusing
	mute        // the handshake dies whatever the name
	unavailable // 503
	nameMute    // the handshake dies for this name alone
	backend     // the exchange dies, for this name alone
)

func (s *state) ruin(i int, now time.Time) ruin {
	if !s.target[i].on(now, s.rnd) {
		return sound
	}
	mode := s.target[i].mode
	if float64(mode%100_000) < s.rates.NameOnly*100_000 {
		return [...]ruin{nameMute, backend}[mode/100_000%2]
	}
	return [...]ruin{unreachable, refusing, mute, unavailable}[mode/100_000%4]
}

func (s *state) outage(i int, t *target, step int, neutral bool, now time.Time) ms.Failure {
	if s.edgeDown[t.edge].on(now, s.rnd) && (step == connect || step == quic) {
		return ms.Timeout
	}
	how := [...]ms.Failure{ms.Timeout, ms.EOF, ms.ConnectionReset}
	switch r := s.ruin(i, now); {
	case r == sound:
	case r == unreachable && step == connect, r != unavailable && r != nameMute && r != backend && step == quic:
		return ms.Timeout
	case r == refusing && step == connect:
		return ms.ConnectionRefused
	case r == mute && step == handshake:
		return how[s.target[i].mode%3]
	case r == nameMute && !neutral && step == quic:
		return ms.Timeout
	case r == nameMute && !neutral && step == handshake:
		return how[s.target[i].mode%2] // silence or an end: see Rates
	case r == backend && !neutral && step == exchange:
		return how[s.target[i].mode%3]
	}
	return ""
}

// chance is everything that fails by itself.
func (s *state) chance(t *target, now time.Time) ms.Failure {
	silent := s.rates.Loss
	if s.edge[t.edge].on(now, s.rnd) {
		silent += s.rates.Edge.Share
	}
	if s.line.on(now, s.rnd) {
		silent += s.rates.Line.Share
	}
	switch u := s.rnd.Float64(); {
	case u < silent:
		return ms.Timeout
	case u < silent+s.rates.Reset:
		return ms.ConnectionReset
	case u < silent+s.rates.Reset+s.rates.EOF:
		return ms.EOF
	}
	return ""
}

// sheet notes observations as a round does.
type sheet struct {
	s             *state
	at            time.Time
	out           []ms.Observation
	skipped       []ms.Skip
	trials, conns int
}

// note writes down a visit.
func (sh *sheet) note(t *target, family int, f *fate) {
	if t.named() {
		sh.noteResolve(t, family, f)
	}
	for k := range f.spots {
		sp := &f.spots[k]
		if !sp.visited {
			continue
		}
		sh.trials++
		endpoint := netip.AddrPortFrom(t.addresses[family][k], 443).String()
		if sp.neutral {
			sh.noteChain(t, family, endpoint, "neutral.example.com", ms.N, sp, &sp.n, false)
		}
		if sp.n[connect] == "" {
			sh.noteChain(t, family, endpoint, t.host, ms.T, sp, &sp.t, f.unavailable)
		}
	}
}

func (sh *sheet) noteResolve(t *target, family int, f *fate) {
	o := ms.Observation{Target: t.info.ID, Operation: ms.Resolve, Transport: "udp", Family: families[family], Name: t.host, Started: sh.at, Failure: f.dns, Duration: fast}
	dns := ms.DNS{Resolver: ms.SystemResolver, Class: "public", Addresses: t.addresses[family][:]}
	switch f.dns {
	case ms.Timeout:
		dns.Rcode, dns.Addresses = -1, nil
	case ms.DNSNXDomain:
		dns.Rcode, dns.Addresses = 3, nil
	case ms.DNSServfail:
		dns.Rcode, dns.Addresses = 2, nil
	}
	d := o
	o.DNS = &dns
	d.Control, d.Failure, d.DNS = ms.D, f.trusted, &ms.DNS{Resolver: "https://192.0.2.53/dns-query", Addresses: t.addresses[family][:]}
	if f.trusted != "" {
		d.DNS.Rcode, d.DNS.Addresses = -1, nil
	}
	sh.out = append(sh.out, o)
	if f.dns != "" || f.spots[0].dead || f.spots[1].dead {
		sh.out = append(sh.out, d)
	}
}

// noteChain writes down the steps of one name as far as they were made.
func (sh *sheet) noteChain(t *target, family int, endpoint, name string, control ms.Control, sp *spot, died *[steps]ms.Failure, unavailable bool) {
	sh.conns++
	o := ms.Observation{Target: t.info.ID, Control: control, Trial: sh.trials, Conn: sh.conns, Origin: ms.FromSystem, Transport: "tcp", Family: families[family], Endpoint: endpoint, Name: name, Started: sh.at}
	for step, op := range [...]ms.Operation{ms.Connect, ms.TLSHandshake, ms.HTTPExchange} {
		if sp.barred[0] {
			break
		}
		sh.noteStep(o, op, died[step], unavailable, t.quic)
		if died[step] != "" || !t.named() {
			break
		}
	}
	if t.quic && !sp.barred[1] {
		sh.conns++
		o.Conn, o.Transport = sh.conns, "quic"
		sh.noteStep(o, ms.QUICHandshake, died[quic], false, false)
	}
}

func (sh *sheet) noteStep(o ms.Observation, op ms.Operation, died ms.Failure, unavailable, h3 bool) {
	o.Operation, o.Failure, o.Duration = op, died, fast
	switch {
	case died == ms.Timeout:
		o.Duration = silence
	case died == "" && sh.s.line.on(sh.at, sh.s.rnd) && sh.s.rnd.Float64() < slowInBurst:
		o.Duration = slow
	}
	if died == "" {
		o.Received = 3000
	}
	switch op {
	case ms.TLSHandshake:
		o.TLS = &ms.TLS{Shape: ms.Small}
		if died == "" {
			o.TLS.ChainRoot = "bundle"
		}
	case ms.HTTPExchange:
		o.Transport = "tls"
		o.HTTP = &ms.HTTP{Verified: true, AltSvcH3: h3}
		if died == "" {
			o.HTTP.Status = 200
		}
		if died == "" && unavailable {
			o.HTTP.Status = 503
		}
	}
	sh.out = append(sh.out, o)
}
