package probe

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/measurements"
)

const (
	// ednsSize is the largest UDP answer that we ask for: what needs no fragments on any path (DNS flag
	// day 2020). Lost fragments would look like a resolver that is silent about this name.
	ednsSize = 1232
	// What is kept of one answer, so that none can grow a record. Chosen by us: large sites give eight
	// addresses, and BIND follows at most 16 CNAMEs.
	mostAddresses = 64
	mostCNAMEs    = 16
	mostExtended  = 4
)

// question is what a resolver is asked.
type question struct {
	name        string // without the last dot
	kind, class uint16
	unchecked   bool // the resolver is asked not to validate (CD: RFC 4035, section 3.2.2)
}

// queryID is a query's id: guessing it is what an off-path forger has to do (RFC 5452, section 9.2).
func queryID() uint16 {
	var b [2]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint16(b[:])
}

// pack is the question's wire form. Recursion is asked for, as by any stub; the letters' case is left
// alone: mixing it (0x20) is what filters trip over by mistake.
func (q question) pack(id uint16, edns bool) ([]byte, error) {
	m := &dns.Msg{Question: []dns.Question{{Name: dns.Fqdn(q.name), Qtype: q.kind, Qclass: q.class}}}
	m.Id, m.RecursionDesired, m.CheckingDisabled = id, true, q.unchecked
	if edns {
		m.SetEdns0(ednsSize, false)
	}
	return m.Pack()
}

// answer is what a resolver said.
type answer struct {
	rcode     int
	truncated bool
	addresses []netip.Addr
	cnames    []string
	ttl       uint32 // the least
	text      string // of TXT
	h3        uint16 // of HTTPS: the port at which HTTP/3 is offered
	negative  uint32 // how long a denial may be kept, seconds; 0: nobody says
	extended  []int  // codes of RFC 8914
	raw       []byte
}

var (
	errNotOurs = errors.New("dns: an answer to something else")
	errJunk    = errors.New("dns: an answer that is no DNS message")
)

// read reads an answer. It fails with errNotOurs where the id, the question or the direction is another
// (it answers somebody else, or comes from one who guesses), and with errJunk where only the id fits.
func (q question) read(id uint16, b []byte) (answer, error) {
	if len(b) < 2 || binary.BigEndian.Uint16(b) != id || len(b) > 2 && b[2]&0x80 == 0 {
		return answer{}, errNotOurs
	}
	var m dns.Msg
	if err := m.Unpack(b); err != nil {
		return answer{rcode: -1, raw: b}, errJunk
	}
	if !q.isOf(&m) {
		return answer{}, errNotOurs
	}
	a := answer{rcode: m.Rcode, truncated: m.Truncated, raw: b, negative: q.negative(m.Ns), extended: extended(&m)}
	a.collect(q, m.Answer)
	return a, nil
}

// negative reads how long a denial may be kept: the less of the SOA's own TTL and its minimum (RFC 2308,
// section 5). An SOA of a zone to which the name does not belong, as those of local policies, says nothing.
func (q question) negative(authority []dns.RR) uint32 {
	for _, rr := range authority {
		if soa, ok := rr.(*dns.SOA); ok && dns.CountLabel(soa.Hdr.Name) > 0 && dns.IsSubDomain(soa.Hdr.Name, dns.Fqdn(q.name)) {
			return min(soa.Hdr.Ttl, soa.Minttl)
		}
	}
	return 0
}

// extended lists what a resolver says of why it failed (RFC 8914), as codes: the text beside them is anybody's.
func extended(m *dns.Msg) (codes []int) {
	opt := m.IsEdns0()
	if opt == nil {
		return nil
	}
	for _, option := range opt.Option {
		if e, ok := option.(*dns.EDNS0_EDE); ok && len(codes) < mostExtended {
			codes = append(codes, int(e.InfoCode))
		}
	}
	return codes
}

// isOf says whether an answer repeats the question. Servers that could not or would not read it may
// leave it out (RFC 1035, section 4.1.1; 9.9.9.9 refuses so), but never if they say something of the name.
func (q question) isOf(m *dns.Msg) bool {
	if len(m.Question) == 0 {
		return m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError
	}
	asked := m.Question[0]
	return len(m.Question) == 1 && asked.Qtype == q.kind && asked.Qclass == q.class && strings.EqualFold(asked.Name, dns.Fqdn(q.name))
}

// collect follows the CNAMEs from the name that was asked for, in whatever order they stand, and takes
// the records at every name on the way. Records of other names are nobody's business (RFC 2181, section
// 5.4.1).
func (a *answer) collect(q question, records []dns.RR) {
	next := map[string]string{}
	for _, rr := range records {
		if c, ok := rr.(*dns.CNAME); ok && c.Hdr.Class == q.class && next[dns.CanonicalName(c.Hdr.Name)] == "" {
			next[dns.CanonicalName(c.Hdr.Name)] = c.Target
		}
	}
	chain := []string{dns.CanonicalName(q.name)}
	for len(a.cnames) < mostCNAMEs {
		target := next[chain[len(chain)-1]]
		if target == "" || slices.Contains(chain, dns.CanonicalName(target)) {
			break
		}
		chain = append(chain, dns.CanonicalName(target))
		a.cnames = append(a.cnames, strings.TrimSuffix(target, "."))
	}
	counted := false
	for _, rr := range records {
		h := rr.Header()
		if h.Class != q.class || !slices.Contains(chain, dns.CanonicalName(h.Name)) {
			continue
		}
		if h.Rrtype != q.kind && h.Rrtype != dns.TypeCNAME {
			continue
		}
		if !counted || h.Ttl < a.ttl {
			a.ttl, counted = h.Ttl, true
		}
		a.add(rr)
	}
}

func (a *answer) add(rr dns.RR) {
	var addr netip.Addr
	ok := false
	switch rr := rr.(type) {
	case *dns.A:
		addr, ok = netip.AddrFromSlice(rr.A.To4())
	case *dns.AAAA:
		addr, ok = netip.AddrFromSlice(rr.AAAA.To16())
	case *dns.HTTPS:
		if a.h3 == 0 {
			a.h3 = h3In(rr, rr.Hdr.Name)
		}
	case *dns.TXT:
		if a.text == "" {
			a.text = strings.Join(rr.Txt, "")
		}
	}
	if ok && len(a.addresses) < mostAddresses && !slices.Contains(a.addresses, addr) {
		a.addresses = append(a.addresses, addr)
	}
}

// verdict gives the failure that an answer is, and a sentence for it; "" where the question is answered.
func (a answer) verdict(q question) (word measurements.Failure, says string) {
	switch a.rcode {
	case dns.RcodeSuccess:
	case dns.RcodeNameError:
		return measurements.DNSNXDomain, "the name does not exist"
	case dns.RcodeRefused:
		return measurements.DNSRefused, "refused"
	case dns.RcodeServerFailure:
		return measurements.DNSServfail, "the server failed"
	case -1:
		return measurements.DNSMisbehaving, "the answer is no DNS message"
	default:
		return measurements.DNSMisbehaving, "the server says " + dns.RcodeToString[a.rcode]
	}
	switch {
	case q.kind == dns.TypeTXT && a.text != "", q.kind == dns.TypeHTTPS && !a.truncated:
		return "", ""
	case slices.ContainsFunc(a.addresses, func(b netip.Addr) bool { return b.Is4In6() || Bogon(b) }):
		return measurements.DNSBogon, "the answer holds an address that no public server has"
	case len(a.addresses) > 0:
		return "", ""
	case a.truncated:
		return measurements.DNSMisbehaving, "the answer is truncated before its first address"
	}
	return measurements.DNSNoAnswer, "the answer holds nothing of the type asked for"
}

// sameAs says whether two answers say the same, in whatever order, and however old.
func (a answer) sameAs(rcode int, addresses []netip.Addr) bool {
	sorted := func(in []netip.Addr) []netip.Addr { return slices.SortedFunc(slices.Values(in), netip.Addr.Compare) }
	return a.rcode == rcode && slices.Equal(sorted(a.addresses), sorted(addresses))
}
