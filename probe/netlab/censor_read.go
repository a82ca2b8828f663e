package netlab

import (
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/probe/hello"
)

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
		return event{protocol: Other, first: b}, true
	}
	head, _, whole := strings.Cut(string(b), "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(k, "host") && whole {
			host, _, _ := strings.Cut(strings.TrimSpace(v), ":")
			return event{protocol: HTTP, name: strings.ToLower(host), first: b}, true
		}
	}
	return event{protocol: HTTP, first: b}, whole || len(b) > most
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
