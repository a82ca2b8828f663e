package netlab

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/probe/hello"
)

// event is a packet that a box understands.
type event struct {
	protocol Protocol
	name     string // the trigger's name, in lower case; "" where it bears none
	large    bool   // the hello needs more than one segment or datagram
	query    *dns.Msg
}

// place is what residual blocking remembers.
type place struct {
	transport string
	endpoint  netip.AddrPort
}

type residue struct {
	rule  Rule
	until time.Time
}

// defaultPosition is where a box stands whose rule doesn't say: near the user, as most do (TSPU,
// IMC 2022, places them within the first hops).
const defaultPosition = 0.25

func (r *Rule) position() float64 {
	if r.Position == 0 {
		return defaultPosition
	}
	return r.Position
}

// match gives the rule that decides about an event, and lets those that only slow a flow down have
// their way on it. The caller holds the flow's lock, or is the only one who knows the flow.
func (n *Network) match(f *flow, e event) *Rule {
	if f.to.Addr().IsPrivate() && f.to.Port() == 53 {
		return nil // the home's own resolver: no box stands in between
	}
	n.mu.Lock()
	rules, since := slices.Clone(n.rules), time.Since(n.start)
	n.mu.Unlock()
	for i := range rules {
		r := &rules[i]
		if !r.matches(f, e, since) || !f.draws(r) {
			continue
		}
		n.mu.Lock()
		n.fired[r.ID]++
		if r.Residual > 0 {
			n.residual[place{f.transport, f.to}] = residue{*r, time.Now().Add(r.Residual)}
		}
		n.mu.Unlock()
		switch r.Action {
		case Throttle:
			f.rate = r.Rate
		case Delay:
			f.late = r.Delay
		case Lose:
			f.link.Loss = 1 - (1-f.link.Loss)*(1-r.Probability)
		case Cut, CutReset, CutClose:
			f.cut = r
		default:
			return r
		}
	}
	return nil
}

// draws says whether a rule with a probability fires on this flow; it is drawn once a flow. Loss is
// drawn for each packet instead.
func (f *flow) draws(r *Rule) bool {
	if r.Probability == 0 || r.Action == Lose {
		return true
	}
	fires, drawn := f.drawn[r.ID]
	if !drawn {
		fires = f.n.chance(r.Probability)
		f.drawn[r.ID] = fires
	}
	return fires
}

// rests gives the action that residual blocking has in store for a flow's packets, nil for none.
func (n *Network) rests(f *flow) *Rule {
	n.mu.Lock()
	defer n.mu.Unlock()
	left, ok := n.residual[place{f.transport, f.to}]
	if !ok || time.Now().After(left.until) {
		return nil
	}
	r := left.rule
	if r.Action != Reset && r.Action != ICMP {
		r.Action = Drop
	}
	return &r
}

func (r *Rule) matches(f *flow, e event, since time.Duration) bool {
	switch {
	case since < r.From || r.Until > 0 && since >= r.Until:
		return false
	case !r.sees(e):
		return false
	case len(r.Ports) > 0 && !slices.Contains(r.Ports, f.to.Port()):
		return false
	case r.Family == "ipv4" && !f.to.Addr().Is4(), r.Family == "ipv6" && f.to.Addr().Is4():
		return false
	case r.Shape == "small" && e.large, r.Shape == "large" && !e.large:
		return false
	case len(r.Addresses) > 0 && !slices.ContainsFunc(r.Addresses, func(p netip.Prefix) bool { return p.Contains(f.to.Addr()) }):
		return false
	}
	return len(r.Names) == 0 || r.names(e.name)
}

// sees says whether the rule looks at packets of this kind.
func (r *Rule) sees(e event) bool {
	if r.Protocol == Any {
		return len(r.Names) == 0 && (e.protocol == TCP || e.protocol == UDP) || len(r.Names) > 0 && e.name != ""
	}
	return r.Protocol == e.protocol
}

func (r *Rule) names(name string) bool {
	if name == "" {
		return false
	}
	return slices.ContainsFunc(r.Names, func(pattern string) bool {
		switch {
		case pattern == "*":
			return true
		case r.Substring:
			return strings.Contains(name, strings.TrimPrefix(pattern, "."))
		case strings.HasPrefix(pattern, "."):
			return strings.HasSuffix(name, pattern) || name == pattern[1:]
		}
		return name == pattern
	})
}

// readStream understands a client's first bytes: a DNS query, a ClientHello or a clear request.
// enough is false while more bytes may tell.
func readStream(port uint16, b []byte) (e event, enough bool) {
	const most = 16 << 10
	switch {
	case port == 53:
		if len(b) < 2 || len(b) < 2+int(b[0])<<8+int(b[1]) {
			return e, len(b) > most
		}
		return readQuery(b[2:]), true
	case b[0] == 22: // a handshake record (RFC 8446, section 5.1)
		return readHello(b, most)
	case len(b) >= 4 && !slices.Contains([]string{"GET ", "HEAD", "POST"}, string(b[:4])):
		return e, true
	}
	head, _, whole := strings.Cut(string(b), "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(k, "host") && whole {
			host, _, _ := strings.Cut(strings.TrimSpace(v), ":")
			return event{protocol: HTTP, name: strings.ToLower(host)}, true
		}
	}
	return event{protocol: HTTP}, whole || len(b) > most
}

func readHello(b []byte, most int) (event, bool) {
	msg, complete, err := hello.FromRecords(b)
	if err != nil || !complete {
		return event{}, err != nil || len(b) > most
	}
	h, err := hello.Parse(msg)
	if err != nil {
		return event{}, true
	}
	return event{protocol: TLS, name: strings.ToLower(h.ServerName), large: len(b) > segmentSize}, true
}

func readQuery(b []byte) event {
	m := new(dns.Msg)
	if m.Unpack(b) != nil || len(m.Question) == 0 {
		return event{}
	}
	return event{protocol: DNS, name: strings.ToLower(strings.TrimSuffix(m.Question[0].Name, ".")), query: m}
}

// answer is what a rule makes a resolver say.
func (r *Rule) answer(q *dns.Msg) []byte {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	switch r.Action {
	case DNSNXDomain:
		m.Rcode = dns.RcodeNameError
	case DNSServfail:
		m.Rcode = dns.RcodeServerFailure
	case DNSRefused:
		m.Rcode = dns.RcodeRefused
	case DNSForge:
		for _, a := range r.Answer {
			h := dns.RR_Header{Name: q.Question[0].Name, Class: dns.ClassINET, Ttl: 300}
			switch t := q.Question[0].Qtype; {
			case t == dns.TypeA && a.Is4():
				h.Rrtype = t
				m.Answer = append(m.Answer, &dns.A{Hdr: h, A: a.AsSlice()})
			case t == dns.TypeAAAA && !a.Is4():
				h.Rrtype = t
				m.Answer = append(m.Answer, &dns.AAAA{Hdr: h, AAAA: a.AsSlice()})
			}
		}
	}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}
