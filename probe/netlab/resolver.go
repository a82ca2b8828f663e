package netlab

import (
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// resolver answers queries over every transport: from the honest zone, or, if it forwards, with
// what its upstream says.
type resolver struct {
	zone     *authority
	identity string // what it calls itself (version.bind CH TXT, RFC 4892)
	// filtered names are answered with the unspecified address: what a household's ad or child
	// filter does. Keys are names in lower case without the last dot.
	filtered map[string]bool
	// troubles are this resolver's own with names: FaultNegativeCache, FaultBogus, FaultNoAuthority.
	troubles map[string]FaultKind
	dns64    bool // names without IPv6 are given some, which leads to a translator
	// kept are the addresses of canonical names that it goes on giving though they have changed; replaced as a whole.
	mu   sync.Mutex
	kept map[string][]netip.Addr
	// upstream resolves in its stead; nil for a resolver of its own.
	upstream func(network string, q *dns.Msg) (*dns.Msg, error)
}

// upstreamPatience is how long a forwarder waits. Its own client has given up by then: like
// dnsmasq it stays silent when its upstream does.
const upstreamPatience = 10 * time.Second

// ServeDNS answers one query over UDP, TCP or TLS.
func (r *resolver) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	network := "udp4"
	if w.LocalAddr().Network() == "tcp" {
		network = "tcp4"
	}
	reply := r.answer(network, q)
	if reply == nil {
		return
	}
	if network == "udp4" {
		size := dns.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			size = max(size, int(opt.UDPSize()))
		}
		reply.Truncate(size)
	}
	_ = w.WriteMsg(reply) // a client that has gone away is its own affair
}

// answer gives the reply to a query; nil means silence.
func (r *resolver) answer(network string, q *dns.Msg) *dns.Msg {
	if len(q.Question) != 1 {
		return new(dns.Msg).SetRcode(q, dns.RcodeFormatError)
	}
	question := q.Question[0]
	if question.Qclass == dns.ClassCHAOS {
		return r.introduce(q, question)
	}
	if r.filtered[strings.TrimSuffix(strings.ToLower(question.Name), ".")] {
		return unspecified(q, question)
	}
	if r.upstream != nil {
		reply, err := r.upstream(network, q)
		if err != nil {
			return nil
		}
		return reply
	}
	reply := new(dns.Msg).SetReply(q)
	reply.RecursionAvailable = true
	if opt := q.IsEdns0(); opt != nil {
		reply.SetEdns0(1232, opt.Do()) // 1232: the size agreed on DNS flag day 2020
	}
	if r.troubled(reply, q) {
		return reply
	}
	r.mu.Lock()
	kept := r.kept
	r.mu.Unlock()
	r.zone.answer(reply, question, kept)
	if r.dns64 {
		r.synthesise(reply, question)
	}
	return reply
}

// authorityPatience is how long a resolver looks for a name's servers before it says that it failed: the ten seconds
// of BIND 9 (resolver-query-timeout), and what its last attempt takes.
const authorityPatience = 12 * time.Second

// troubled gives the answer that a trouble of this resolver's makes to a query; false where it has none with the name.
func (r *resolver) troubled(reply, q *dns.Msg) bool {
	name := strings.TrimSuffix(strings.ToLower(q.Question[0].Name), ".")
	why := uint16(0)
	switch r.troubles[name] {
	case FaultNegativeCache:
		reply.Rcode = dns.RcodeNameError
		reply.Ns = []dns.RR{startOf(name)}
		return true
	case FaultBogus:
		if q.CheckingDisabled {
			return false
		}
		why = dns.ExtendedErrorCodeDNSBogus
	case FaultNoAuthority:
		time.Sleep(authorityPatience)
		why = dns.ExtendedErrorCodeNoReachableAuthority
	default:
		return false
	}
	reply.Rcode = dns.RcodeServerFailure
	if opt := reply.IsEdns0(); opt != nil {
		opt.Option = append(opt.Option, &dns.EDNS0_EDE{InfoCode: why})
	}
	return true
}

// introduce says who answers.
func (r *resolver) introduce(q *dns.Msg, question dns.Question) *dns.Msg {
	if !strings.EqualFold(question.Name, "version.bind.") || question.Qtype != dns.TypeTXT {
		return new(dns.Msg).SetRcode(q, dns.RcodeRefused)
	}
	reply := new(dns.Msg).SetReply(q)
	reply.Answer = []dns.RR{&dns.TXT{
		Hdr: dns.RR_Header{Name: question.Name, Rrtype: dns.TypeTXT, Class: dns.ClassCHAOS},
		Txt: []string{r.identity},
	}}
	return reply
}

// unspecified is the answer 0.0.0.0 or ::.
func unspecified(q *dns.Msg, question dns.Question) *dns.Msg {
	reply := new(dns.Msg).SetReply(q)
	reply.RecursionAvailable = true
	switch question.Qtype {
	case dns.TypeA:
		reply.Answer = []dns.RR{&dns.A{Hdr: header(question.Name, dns.TypeA), A: net.IPv4zero}}
	case dns.TypeAAAA:
		reply.Answer = []dns.RR{&dns.AAAA{Hdr: header(question.Name, dns.TypeAAAA), AAAA: net.IPv6zero}}
	}
	return reply
}

// overHTTPS answers DoH, GET and POST (RFC 8484 section 4.1).
func (r *resolver) overHTTPS(w http.ResponseWriter, req *http.Request) {
	const mime = "application/dns-message"
	var wire []byte
	var err error
	switch req.Method {
	case http.MethodGet:
		wire, err = base64.RawURLEncoding.DecodeString(req.URL.Query().Get("dns"))
	case http.MethodPost:
		wire, err = io.ReadAll(io.LimitReader(req.Body, dns.MaxMsgSize))
	default:
		http.Error(w, "GET or POST", http.StatusMethodNotAllowed)
		return
	}
	q := new(dns.Msg)
	if err != nil || q.Unpack(wire) != nil {
		http.Error(w, "no DNS message", http.StatusBadRequest)
		return
	}
	packed, err := r.answer("tcp4", q).Pack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", mime)
	_, _ = w.Write(packed)
}

// forward asks another resolver, through the vantage's own line: the router stands at home, so what
// censors between home and ISP sees the query. The transport stays the client's. It gives up when
// the world ends.
func forward(alive context.Context, dial dialer, to netip.Addr) func(string, *dns.Msg) (*dns.Msg, error) {
	return func(network string, q *dns.Msg) (*dns.Msg, error) {
		ctx, cancel := context.WithTimeout(alive, upstreamPatience)
		defer cancel()
		if to.Is6() {
			network = network[:3] + "6"
		}
		c, err := dial(ctx, network, netip.AddrPortFrom(to, 53).String())
		if err != nil {
			return nil, err
		}
		defer c.Close()
		defer context.AfterFunc(ctx, func() { _ = c.Close() })()
		if strings.HasPrefix(network, "udp") {
			c = packetSocket{c}
		}
		client := dns.Client{Net: network, Timeout: upstreamPatience}
		reply, _, err := client.ExchangeWithConn(q, &dns.Conn{Conn: c})
		return reply, err
	}
}

// packetSocket shows a connected UDP socket as a net.PacketConn: that is what package dns looks for
// before it leaves out the length that TCP needs.
type packetSocket struct{ net.Conn }

// ReadFrom reads a datagram of the peer.
func (s packetSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := s.Read(b)
	return n, s.RemoteAddr(), err
}

// WriteTo writes to the peer, whatever the address.
func (s packetSocket) WriteTo(b []byte, _ net.Addr) (int, error) { return s.Write(b) }

// dialer is the vantage's way out.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)
