package netlab

import (
	"net/netip"

	"github.com/miekg/dns"
)

// translator is the prefix under which a network without IPv4 leads to the IPv4 internet: the last 32 bits are
// the address there (RFC 6052, section 2.1).
var translator = netip.MustParsePrefix("64:ff9b::/96")

// translated is where a packet ends up behind NAT64 (RFC 6146).
func translated(to netip.AddrPort) netip.AddrPort {
	if !translator.Contains(to.Addr()) {
		return to
	}
	b := to.Addr().As16()
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:])), to.Port())
}

// synthesise makes AAAA records of a name's A records, where it has no AAAA of its own (DNS64, RFC 6147,
// section 5.1).
func (r *resolver) synthesise(reply *dns.Msg, q dns.Question) {
	if q.Qtype != dns.TypeAAAA || reply.Rcode != dns.RcodeSuccess {
		return
	}
	for _, rr := range reply.Answer {
		if rr.Header().Rrtype == dns.TypeAAAA {
			return
		}
	}
	v4 := new(dns.Msg)
	r.zone.answer(v4, dns.Question{Name: q.Name, Qtype: dns.TypeA, Qclass: q.Qclass}, nil)
	if len(v4.Answer) == 0 {
		return
	}
	reply.Answer, reply.Ns = nil, nil
	for _, rr := range v4.Answer {
		if a, ok := rr.(*dns.A); ok {
			b := translator.Addr().As16()
			copy(b[12:], a.A.To4())
			reply.Answer = append(reply.Answer, &dns.AAAA{Hdr: header(a.Hdr.Name, dns.TypeAAAA), AAAA: b[:]})
			continue
		}
		reply.Answer = append(reply.Answer, rr)
	}
}
