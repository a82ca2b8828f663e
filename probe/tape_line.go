package probe

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/measurements"
)

// TapeControl lists, as Tape does, what is sent to a neutral host of the gate. It is sent again where something fails
// or is silent for long.
func TapeControl(ctx context.Context, c Control) []Message {
	tp := &tape{}
	tp.resolve(ctx, c.Host)
	for _, w := range c.Probes {
		switch w {
		case ProbeHTTPS:
			tp.hello(ctx, c.Host, measurements.Small, offersOf(w))
			tp.hello(ctx, c.Host, measurements.Default, offersOf(w))
			tp.request(ctx, "request", HTTPInput{Method: http.MethodHead, Host: c.Host, Path: c.Path})
			tp.request(ctx, "request for the object (where an app's comes slowly, or in part)", HTTPInput{Host: c.Host, Path: c.Path})
		case ProbeHTTP:
			tp.request(ctx, "request in clear", HTTPInput{Host: c.Host, Path: c.Path})
			tp.request(ctx, "request in clear, of two segments (where large hellos die)", HTTPInput{Host: c.Host, Path: c.Path, Padding: requestPadding})
		case ProbeH3:
			tp.initial(ctx, c.Host, measurements.Small, "")
			tp.ping(ctx, "QUIC of an unknown version, with a hop limit of one and of two (where QUIC dies at all neutral hosts)")
		}
	}
	return tp.out
}

// TapeResolver lists what is sent to a resolver where a name is asked of it: of control D, or the machine's own.
func TapeResolver(ctx context.Context, r Resolver, name string) []Message {
	tp := &tape{}
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil
	}
	if len(r.known()) == 0 {
		r.Addresses = []netip.Addr{taped.Addr()} // the tape asks nobody for it
	}
	if u.Scheme == "tls" || u.Scheme == "https" {
		tp.inquiry(ctx, "ClientHello to the resolver", r, question{name: name, kind: dns.TypeA, class: dns.ClassINET})
	}
	over := map[string]string{"udp": "UDP", "tcp": "TCP", "tls": "TLS", "https": "HTTPS"}[u.Scheme]
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		what, q := "DNS query over "+over+", "+dns.TypeToString[kind], question{name: name, kind: kind, class: dns.ClassINET}
		switch u.Scheme {
		case "tls": // inside it is the same as over TCP
			tp.inquiry(ctx, what, Resolver{URL: "tcp://" + taped.Addr().String()}, q)
		case "https":
			inside := &inquiry{q: q, way: way{url: u.String(), host: u.Hostname(), endpoint: taped}, seen: &measurements.DNS{}}
			tp.listen(what, func(c net.Conn) { _, _ = inside.post(ctx, c) })
		default:
			tp.inquiry(ctx, what, r, q)
		}
	}
	return tp.out
}

// TapeRecord lists what is sent to a resolver of control D where TCP to a name fails: the question for its HTTPS record.
// Where the way is encrypted, a hello goes before it, as in TapeResolver.
func TapeRecord(ctx context.Context, r Resolver, name string) []Message {
	tp := &tape{}
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil
	}
	if u.Scheme != "https" {
		over := map[bool]string{true: "udp", false: "tcp"}[u.Scheme == "udp"]
		tp.inquiry(ctx, "DNS query, HTTPS record (where TCP fails)", Resolver{URL: over + "://" + taped.Addr().String()}, recordOf(name))
		return tp.out
	}
	inside := &inquiry{q: recordOf(name), way: way{url: u.String(), host: u.Hostname(), endpoint: taped}, seen: &measurements.DNS{}}
	tp.listen("DNS query over HTTPS, HTTPS record (where TCP fails)", func(c net.Conn) { _, _ = inside.post(ctx, c) })
	return tp.out
}

// TapeIdentity lists the questions for a resolver's own name.
func TapeIdentity(ctx context.Context) []Message {
	tp := &tape{}
	for _, over := range []string{"udp", "tcp"} {
		what := "DNS query over " + strings.ToUpper(over) + ": what the resolver calls itself"
		tp.inquiry(ctx, what, Resolver{URL: over + "://" + taped.Addr().String()}, itsName)
	}
	return tp.out
}

// TapeReference lists what is sent to a reference vantage.
func TapeReference(ctx context.Context, r Reference) []Message {
	tp := &tape{}
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil
	}
	tp.resolve(ctx, u.Hostname())
	if u.Scheme == "https" {
		tp.hello(ctx, u.Hostname(), measurements.Default, referenceALPN)
	}
	tp.listen("request", func(c net.Conn) { _, _ = getOver(ctx, c, u) })
	return tp.out
}

func (tp *tape) request(ctx context.Context, what string, in HTTPInput) {
	tp.listen(what, func(c net.Conn) { HTTP(ctx, c, in) })
}
