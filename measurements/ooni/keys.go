package ooni

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// keys writes every observation in the words of the data format that has a place for it. A
// version-negotiation ping, an app's own exchange and a transfer, for which none has, show in
// network_events alone.
func keys(m *measurements.Measurement) testKeys {
	k := testKeys{
		Queries: []query{}, TCPConnect: []tcpConnect{}, TLSHandshakes: []tlsHandshake{}, Requests: []request{}, NetworkEvents: []networkEvent{},
		Telltale: ours{Schema: schema, Measurement: *m},
	}
	for i := range m.Observations {
		o := &m.Observations[i]
		s := spanOf(m, o, i+1)
		switch o.Operation {
		case measurements.Resolve:
			k.Queries = append(k.Queries, queryOf(o, s))
		case measurements.Connect:
			k.TCPConnect = append(k.TCPConnect, connectOf(o, s))
		case measurements.TLSHandshake, measurements.QUICHandshake:
			k.TLSHandshakes = append(k.TLSHandshakes, handshakeOf(o, s))
		case measurements.HTTPExchange:
			k.Requests = append(k.Requests, requestOf(o, s))
		}
		k.NetworkEvents = append(k.NetworkEvents, eventsOf(o, s)...)
	}
	slices.SortStableFunc(k.NetworkEvents, func(a, b networkEvent) int {
		switch {
		case a.T < b.T:
			return -1
		case a.T > b.T:
			return 1
		}
		return 0
	})
	return k
}

func spanOf(m *measurements.Measurement, o *measurements.Observation, id int) span {
	t0 := o.Started.Sub(m.Started).Round(time.Microsecond)
	t := t0 + time.Duration(o.Duration).Round(time.Microsecond)
	return span{T0: t0.Seconds(), T: t.Seconds(), Tags: tags(o), TransactionID: id}
}

// tags say what OONI's keys have no word for: which role of the app this was, and which control.
func tags(o *measurements.Observation) []string {
	out := []string{"target=" + o.Target}
	if o.Control != measurements.T {
		out = append(out, "control="+string(o.Control))
	}
	if o.Trial != 0 {
		out = append(out, "trial="+strconv.Itoa(o.Trial))
	}
	if o.Conn != 0 {
		out = append(out, "conn="+strconv.Itoa(o.Conn))
	}
	return out
}

// failureOf gives null for success. Words that df-007 does not have are our own: in OONI's keys they
// stand as the unknown failures that they are there, so that no reader meets a word outside its list.
func failureOf(f measurements.Failure) *string {
	if f == "" {
		return nil
	}
	word := string(f)
	if !f.IsUnknown() && !inDF007(f) {
		word = string(measurements.Unknown(word))
	}
	return &word
}

// inDF007 says whether OONI has the word: in df-007, or at least in what its probe writes. Those of our own
// are the others, later ones too.
func inDF007(f measurements.Failure) bool {
	switch f {
	case measurements.ConnectionRefused, measurements.ConnectionReset, measurements.ConnectionAborted, measurements.ConnectionClosed,
		measurements.EOF, measurements.Timeout, measurements.HostUnreachable, measurements.NetworkUnreach, measurements.NetworkDown,
		measurements.NetworkReset, measurements.Interrupted, measurements.PermissionDenied, measurements.AddrNotAvailable, measurements.MessageSize,
		measurements.DNSNXDomain, measurements.DNSRefused, measurements.DNSServfail, measurements.DNSNoAnswer, measurements.DNSBogon,
		measurements.DNSMisbehaving, measurements.DNSWrongQueryID, measurements.SSLInvalidHostname, measurements.SSLUnknownAuthority,
		measurements.SSLInvalidCertificate, measurements.SSLFailedHandshake, measurements.QUICIncompatibleVersion, measurements.HTTPRequestFailed:
		return true
	}
	return false
}

func queryOf(o *measurements.Observation, s span) query {
	q := query{Answers: []answer{}, Engine: "unknown", Failure: failureOf(o.Failure), Hostname: o.Name, QueryType: "A", span: s}
	if o.Family == measurements.IPv6 {
		q.QueryType = "AAAA"
	}
	d := o.DNS
	if d == nil {
		return q
	}
	if d.Transport != "" {
		q.Engine = d.Transport // ours are OONI's words: udp, tcp, dot, doh
	}
	if d.Type != "" {
		q.QueryType = d.Type
	}
	q.RawResponse, q.Rcode, q.ResolverAddress = d.Raw, max(d.Rcode, 0), resolverAddress(d.Resolver)
	for _, name := range d.CNAMEs {
		q.Answers = append(q.Answers, answer{AnswerType: "CNAME", Hostname: name, TTL: &d.TTL})
	}
	for _, a := range d.Addresses {
		if a = a.Unmap(); a.Is4() {
			q.Answers = append(q.Answers, answer{AnswerType: "A", IPv4: a.String(), TTL: &d.TTL})
		} else {
			q.Answers = append(q.Answers, answer{AnswerType: "AAAA", IPv6: a.String(), TTL: &d.TTL})
		}
	}
	return q
}

// resolverAddress is "ip:port", or the URL of a DoH resolver (df-002).
func resolverAddress(resolver string) string {
	if resolver == measurements.SystemResolver {
		return ""
	}
	if u, err := url.Parse(resolver); err == nil && u.Host != "" && u.Scheme != "https" {
		return u.Host
	}
	return resolver
}

func connectOf(o *measurements.Observation, s span) tcpConnect {
	c := tcpConnect{Status: connectStatus{Failure: failureOf(o.Failure), Success: o.OK()}, span: s}
	if ap, err := netip.ParseAddrPort(o.Endpoint); err == nil {
		c.IP, c.Port = ap.Addr().Unmap().String(), int(ap.Port())
	}
	return c
}

func handshakeOf(o *measurements.Observation, s span) tlsHandshake {
	h := tlsHandshake{
		Network: "tcp", Address: o.Endpoint, Failure: failureOf(o.Failure), ServerName: o.Name,
		PeerCertificates: []binary{}, span: s,
	}
	if o.Operation == measurements.QUICHandshake {
		h.Network = "udp"
	}
	if o.TLS == nil {
		return h
	}
	h.CipherSuite, h.NegotiatedProtocol = o.TLS.Cipher, o.TLS.ALPN
	h.TLSVersion = strings.Replace(o.TLS.Version, "TLS 1.", "TLSv1.", 1) // OONI writes TLSv1.3, Go TLS 1.3
	for _, der := range o.TLS.Chain {
		h.PeerCertificates = append(h.PeerCertificates, binary{Data: der, Format: "base64"})
	}
	return h
}
