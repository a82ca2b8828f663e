package probe

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/measurements"
)

// ofResolver is what goes to a resolver where a name is asked of it: of control D, or the one under test.
func (tp *tape) ofResolver(ctx context.Context, r Resolver, name string) {
	tp.greetings(ctx, r, name)
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		tp.asking(ctx, r, ", "+dns.TypeToString[kind], question{name: name, kind: kind, class: dns.ClassINET})
	}
}

// ofTrusted is what a resolver of control D gets beside it: the question for a name's HTTPS record, where TCP to the name
// fails; and where it is asked over TLS, two hellos that ask whether that is let through.
func (tp *tape) ofTrusted(ctx context.Context, r Resolver, name string) {
	tp.ofResolver(ctx, r, name)
	tp.asking(ctx, r, ", HTTPS record (where TCP to a name fails)", recordOf(name))
	u, err := url.Parse(r.URL)
	if alpn := encryptedALPN(r); err == nil && len(alpn) > 0 {
		tp.hello(ctx, u.Hostname(), measurements.Small, alpn, " (is encrypted DNS let through? after one with a neutral name)")
		tp.inquiry(ctx, "DNS query over TCP, port 53, A (where neither is answered)", inTCP, question{name: name, kind: dns.TypeA, class: dns.ClassINET})
	}
}

// ofSystem is what the resolver under test gets beside the queries for names: a question for its own name, and what is
// asked where it fails for a name.
func (tp *tape) ofSystem(ctx context.Context, r Resolver, name string) {
	ways := []Resolver{r}
	if tcp := overTCP(r); tcp.URL != "" {
		ways = append(ways, tcp)
	}
	for _, way := range ways {
		tp.asking(ctx, way, ": what the resolver calls itself", itsName)
	}
	for _, way := range ways {
		tp.ofResolver(ctx, way, name)
	}
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		tp.asking(ctx, r, ", "+dns.TypeToString[kind]+", unchecked (where it says SERVFAIL)", question{name: name, kind: kind, class: dns.ClassINET, unchecked: true})
	}
}

// greetings are what comes before a question: the resolver's own name, asked of the system's, and a hello.
func (tp *tape) greetings(ctx context.Context, r Resolver, name string) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Scheme != "tls" && u.Scheme != "https" {
		return
	}
	if len(r.known()) == 0 {
		tp.resolve(ctx, u.Hostname())
		r.Addresses = []netip.Addr{taped.Addr()}
	}
	tp.inquiry(ctx, "ClientHello to the resolver", r, question{name: name, kind: dns.TypeA, class: dns.ClassINET})
}

// asking is a question with what is sent where nobody answers it.
func (tp *tape) asking(ctx context.Context, r Resolver, what string, q question) {
	tp.question(ctx, r, what, q)
	if strings.HasPrefix(r.URL, "udp://") {
		what = "DNS query over UDP" + what + ", without EDNS0 (twice, where it was lost; once, where EDNS0 is not understood)"
		tp.second(ctx, what, func(ctx context.Context, h Host) { h.inquire(ctx, r, q) })
	}
}

// question is one question in a resolver's own way, without the hello that goes before it.
func (tp *tape) question(ctx context.Context, r Resolver, what string, q question) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return
	}
	over := map[string]string{"udp": "UDP", "tcp": "TCP", "tls": "TLS", "https": "HTTPS"}[u.Scheme]
	what = "DNS query over " + over + what
	switch u.Scheme {
	case "tls":
		tp.inquiry(ctx, what, inTCP, q)
	case "https":
		inside := &inquiry{q: q, way: way{url: u.String(), host: u.Hostname(), endpoint: taped}, seen: &measurements.DNS{}}
		tp.listen(what, func(c net.Conn) { _, _ = inside.post(ctx, c) })
	default:
		tp.inquiry(ctx, what, r, q)
	}
}

// ofReference is what a reference vantage gets, after its name was asked of whoever answers.
func (tp *tape) ofReference(ctx context.Context, r Reference, trusted []Resolver) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return
	}
	if _, err := netip.ParseAddr(u.Hostname()); err != nil {
		for _, resolver := range trusted {
			tp.ofResolver(ctx, resolver, u.Hostname())
		}
		tp.resolve(ctx, u.Hostname())
	}
	if u.Scheme == "https" {
		tp.hello(ctx, u.Hostname(), measurements.Default, slices.Clone(referenceALPN), "")
	}
	tp.listen("request", func(c net.Conn) { _, _ = getOver(ctx, c, u) })
}
