package netlab

import (
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// authority is the DNS as it is meant to be: what every honest resolver of the emulation answers.
// Its names are complete before the world starts. Where they lead may change later (World.Move).
type authority struct {
	mu      sync.RWMutex            // of the values of hosts
	hosts   map[string][]netip.Addr // lower case, without the last dot
	aliases map[string]string       // name → canonical name, which is in hosts
	broken  map[string]bool         // names that no resolver can validate: SERVFAIL (RFC 4035 section 5.5)
	h3      map[string]bool         // names whose HTTPS record offers HTTP/3 (RFC 9460)
	exists  map[string]bool         // names without records that have names below them (RFC 8020)
}

// zoneTTL is small, as those of the apps' names are, so that a change shows within a round.
const zoneTTL = 60

func newAuthority() *authority {
	return &authority{
		hosts:   make(map[string][]netip.Addr),
		aliases: make(map[string]string),
		broken:  make(map[string]bool),
		h3:      make(map[string]bool),
		exists:  make(map[string]bool),
	}
}

// put gives a name its addresses. Names of content networks become aliases, as they are outside
// ("scontent.cdninstagram.com" is "scontent.c10r.cdninstagram.com"): a prober has to follow them.
func (z *authority) put(name string, at []netip.Addr) {
	name = strings.ToLower(name)
	canonical := name
	if head, tail, ok := strings.Cut(name, "."); ok && strings.Contains(name, "cdn") && strings.Contains(tail, ".") {
		canonical = head + ".c10r." + tail
		z.aliases[name] = canonical
	}
	z.hosts[canonical] = slices.Clone(at)
}

// offer is put for a name that may have addresses already.
func (z *authority) offer(name string, at []netip.Addr) {
	if z.addresses(name) == nil {
		z.put(name, at)
	}
}

// renumber makes every name that leads to one address lead to another. What was read before stays as it was.
func (z *authority) renumber(from, to netip.Addr) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for name, at := range z.hosts {
		if i := slices.Index(at, from); i >= 0 {
			at = slices.Clone(at)
			at[i] = to
			z.hosts[name] = at
		}
	}
}

// remove makes a name one that does not exist.
func (z *authority) remove(name string) {
	name = strings.ToLower(name)
	delete(z.hosts, z.canonical(name))
	delete(z.aliases, name)
}

// addresses gives what the name leads to; nil if it does not exist.
func (z *authority) addresses(name string) []netip.Addr {
	z.mu.RLock()
	defer z.mu.RUnlock()
	return z.hosts[z.canonical(strings.ToLower(name))]
}

func (z *authority) canonical(name string) string {
	if alias, ok := z.aliases[name]; ok {
		return alias
	}
	return name
}

// settle learns the names between the roots and the hosts.
func (z *authority) settle() {
	clear(z.exists)
	for _, names := range []map[string]string{z.aliases, canonicalNames(z.hosts)} {
		for name := range names {
			for _, parent, ok := strings.Cut(name, "."); ok; _, parent, ok = strings.Cut(parent, ".") {
				z.exists[parent] = true
			}
		}
	}
}

func canonicalNames(hosts map[string][]netip.Addr) map[string]string {
	names := make(map[string]string, len(hosts))
	for name := range hosts {
		names[name] = name
	}
	return names
}

// answer fills in what the zone says to the question: rcode, answers, and for a negative answer the
// SOA that bounds how long it may be kept (RFC 2308 section 3). Where the resolver that asks has kept a canonical name's
// addresses, it gives those.
func (z *authority) answer(reply *dns.Msg, q dns.Question, kept map[string][]netip.Addr) {
	name := strings.TrimSuffix(strings.ToLower(q.Name), ".")
	if z.broken[name] {
		reply.Rcode = dns.RcodeServerFailure
		return
	}
	owner := q.Name
	if alias, ok := z.aliases[name]; ok {
		owner = dns.Fqdn(alias)
		reply.Answer = append(reply.Answer, &dns.CNAME{Hdr: header(q.Name, dns.TypeCNAME), Target: owner})
		name = alias
	}
	if q.Qtype == dns.TypeHTTPS && z.h3[name] {
		reply.Answer = append(reply.Answer, &dns.HTTPS{SVCB: dns.SVCB{Hdr: header(owner, dns.TypeHTTPS), Priority: 1, Target: ".", Value: []dns.SVCBKeyValue{&dns.SVCBAlpn{Alpn: []string{"h3", "h2"}}}}})
	}
	z.mu.RLock()
	at, known := z.hosts[name]
	z.mu.RUnlock()
	if old := kept[name]; old != nil {
		at = old
	}
	for _, a := range at {
		switch {
		case q.Qtype == dns.TypeA && a.Is4():
			reply.Answer = append(reply.Answer, &dns.A{Hdr: header(owner, dns.TypeA), A: a.AsSlice()})
		case q.Qtype == dns.TypeAAAA && a.Is6():
			reply.Answer = append(reply.Answer, &dns.AAAA{Hdr: header(owner, dns.TypeAAAA), AAAA: a.AsSlice()})
		}
	}
	if !known && !z.exists[name] {
		reply.Rcode = dns.RcodeNameError
	}
	if !slices.ContainsFunc(reply.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == q.Qtype }) {
		reply.Ns = append(reply.Ns, startOf(name))
	}
}

// startOf is the SOA of the zone that a name belongs to.
func startOf(name string) *dns.SOA {
	apex := dns.Fqdn(operatorOf(name))
	return &dns.SOA{
		Hdr: header(apex, dns.TypeSOA), Ns: "ns1." + apex, Mbox: "hostmaster." + apex,
		Serial: 1, Refresh: 7200, Retry: 900, Expire: 1209600, Minttl: zoneTTL,
	}
}

func header(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: zoneTTL}
}
