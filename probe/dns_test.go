package probe

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/measurements"
)

const (
	public  = "192.0.2.10" // a documentation address stands for a public one
	public6 = "2001:db8::10"
)

// reply makes an answer to a packed query.
func reply(query []byte, rcode int, records ...string) *dns.Msg {
	var q dns.Msg
	if err := q.Unpack(query); err != nil {
		panic(err)
	}
	m := new(dns.Msg).SetRcode(&q, rcode)
	for _, r := range records {
		m.Answer = append(m.Answer, must(dns.NewRR(r)))
	}
	return m
}

func packed(m *dns.Msg) []byte { return must(m.Pack()) }

// aRecord is an A record of the site.
func aRecord(address string) string { return site + ". 300 IN A " + address }

// asked resolves the site at a loopback resolver.
func asked(t *testing.T, url string, family measurements.Family, patience time.Duration) measurements.Observation {
	t.Helper()
	return there.Resolve(within(t, patience), Resolver{URL: url}, site, family)
}

func wantAddresses(t *testing.T, o measurements.Observation, want ...string) {
	t.Helper()
	var got []string
	for _, a := range o.DNS.Addresses {
		got = append(got, a.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("addresses: got %v, want %v", got, want)
	}
}

// Each way to answer over UDP has its word, and the record is complete with all of them.
func TestResolveUDP(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		family    measurements.Family
		rcode     int
		records   []string
		want      measurements.Failure
		addresses []string
	}{
		{"an address", measurements.IPv4, 0, []string{aRecord(public)}, "", []string{public}},
		{"an IPv6 address", measurements.IPv6, 0, []string{site + ". 5 IN AAAA " + public6}, "", []string{public6}},
		{"the name in another case", measurements.IPv4, 0, []string{"WWW.Example.COM. 5 IN A " + public}, "", []string{public}},
		{"CNAMEs in any order", measurements.IPv4, 0, []string{"b.example. 60 IN A " + public, "a.example. 300 IN CNAME b.example.", site + ". 300 IN CNAME A.example."}, "", []string{public}},
		{"NXDOMAIN", measurements.IPv4, dns.RcodeNameError, nil, measurements.DNSNXDomain, nil},
		{"REFUSED", measurements.IPv4, dns.RcodeRefused, nil, measurements.DNSRefused, nil},
		{"SERVFAIL", measurements.IPv6, dns.RcodeServerFailure, nil, measurements.DNSServfail, nil},
		{"another code", measurements.IPv4, dns.RcodeNotAuth, nil, measurements.DNSMisbehaving, nil},
		{"nothing", measurements.IPv4, 0, nil, measurements.DNSNoAnswer, nil},
		{"the other family alone", measurements.IPv6, 0, []string{aRecord(public)}, measurements.DNSNoAnswer, nil},
		{"another name's address", measurements.IPv4, 0, []string{"other.example. 5 IN A " + public}, measurements.DNSNoAnswer, nil},
		{"a loop of CNAMEs", measurements.IPv4, 0, []string{site + ". 5 IN CNAME a.example.", "a.example. 5 IN CNAME " + site + "."}, measurements.DNSNoAnswer, nil},
		{"a private address", measurements.IPv4, 0, []string{aRecord("10.10.34.35")}, measurements.DNSBogon, []string{"10.10.34.35"}},
		{"a private address among others", measurements.IPv4, 0, []string{aRecord(public), aRecord("127.0.0.1")}, measurements.DNSBogon, []string{public, "127.0.0.1"}},
		{"an IPv4 address as an IPv6 one", measurements.IPv6, 0, []string{site + ". 5 IN AAAA ::ffff:192.0.2.10"}, measurements.DNSBogon, []string{"::ffff:192.0.2.10"}},
	} {
		answer := func(b []byte) [][]byte { return [][]byte{packed(reply(b, c.rcode, c.records...))} }
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at := serveUDP(t, answer)
			o := asked(t, "udp://"+at.String(), c.family, patient)
			wantFailure(t, o, c.want)
			wantAddresses(t, o, c.addresses...)
			d := o.DNS
			if d.Rcode != c.rcode || d.Attempts != 1 || d.Class != "home" || d.Transport != "udp" || len(d.Late) != 0 || len(d.Raw) == 0 {
				t.Errorf("got %+v", d)
			}
			if o.Family != c.family || o.Transport != "udp" || o.Endpoint != at.String() || o.Name != site || o.Sent == 0 || o.Received == 0 || o.LocalPort == 0 {
				t.Errorf("got %+v", o)
			}
			if strings.HasPrefix(c.name, "CNAMEs") && (!slices.Equal(d.CNAMEs, []string{"A.example", "b.example"}) || d.TTL != 60) {
				t.Errorf("got %v, TTL %d", d.CNAMEs, d.TTL)
			}
			inBubble(t, func(t *testing.T) {
				o := askedOnPipes(t, answer, c.family, patient)
				if wantFailure(t, o, c.want); time.Duration(o.Duration) != acrossPipe {
					t.Errorf("listening for late answers counts: %v", time.Duration(o.Duration))
				}
			})
		})
	}
}

// Of further answers to the same query those count that say something new.
func TestResolveLate(t *testing.T) {
	t.Parallel()
	inBubble(t, resolveLate)
}

func resolveLate(t *testing.T) {
	o := askedOnPipes(t, func(b []byte) [][]byte {
		alien := reply(b, 0, aRecord("192.0.2.99"))
		alien.Id++
		other := reply(b, 0, aRecord("192.0.2.98"))
		other.Question[0].Name = "other.example."
		truncated := reply(b, 0)
		truncated.Truncated = true
		return [][]byte{
			packed(alien), b, packed(other),
			packed(reply(b, 0, aRecord("192.0.2.66"), aRecord("192.0.2.67"))),
			packed(reply(b, 0, aRecord("192.0.2.67"), aRecord("192.0.2.66"))), // the same, in another order
			packed(alien), packed(other), b[:2], nil, packed(truncated),
			packed(reply(b, 0, aRecord(public))),
			packed(reply(b, 0, aRecord(public))),
			packed(reply(b, dns.RcodeNameError)),
		}
	}, measurements.IPv4, patient)
	wantFailure(t, o, "")
	wantAddresses(t, o, "192.0.2.66", "192.0.2.67")
	late := o.DNS.Late
	if len(late) != 2 || late[0].After <= 0 || late[0].Addresses[0].String() != public || late[1].Rcode != dns.RcodeNameError {
		t.Errorf("got %+v", late)
	}
}

// However many contradict, few are kept; and a flood ends the listening.
func TestResolveFlood(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		o := askedOnPipes(t, func(b []byte) (out [][]byte) {
			for i := range 40 {
				out = append(out, packed(reply(b, 0, aRecord(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}).String()))))
			}
			return out
		}, measurements.IPv4, patient)
		if wantFailure(t, o, ""); len(o.DNS.Late) != mostLate {
			t.Errorf("%d late answers", len(o.DNS.Late))
		}
		o = askedOnPipes(t, func([]byte) [][]byte { return make([][]byte, 2*mostDatagrams) }, measurements.IPv4, patient)
		if wantFailure(t, o, measurements.Timeout); time.Duration(o.Duration) != acrossPipe {
			t.Errorf("a flood was listened to for %v", time.Duration(o.Duration))
		}
	})
}

// What is no answer to our question is none at all; junk behind the right id is worse than an answer,
// and better than silence.
func TestResolveUDPWithoutAnswer(t *testing.T) {
	t.Parallel()
	junk := func(b []byte) []byte { return append(slices.Clone(b[:2]), 0x81, 0x80, 0, 1, 0, 9, 0xff) }
	truncated := func(records ...string) func([]byte) [][]byte {
		return func(b []byte) [][]byte {
			m := reply(b, 0, records...)
			m.Truncated = true
			return [][]byte{packed(m)}
		}
	}
	for _, c := range []struct {
		name     string
		answer   func([]byte) [][]byte
		want     measurements.Failure
		attempts int
		rcode    int
	}{
		{"silence", silent, measurements.Timeout, 3, -1},
		{"an echo", func(b []byte) [][]byte { return [][]byte{b} }, measurements.Timeout, 3, -1},
		{"a wrong id", func(b []byte) [][]byte {
			m := reply(b, 0, aRecord(public))
			m.Id++
			return [][]byte{packed(m)}
		}, measurements.Timeout, 3, -1},
		{"junk", func(b []byte) [][]byte { return [][]byte{junk(b)} }, measurements.DNSMisbehaving, 3, -1},
		{"junk, then an answer", func(b []byte) [][]byte { return [][]byte{junk(b), packed(reply(b, 0, aRecord(public)))} }, "", 1, 0},
		{"a refusal without the question", func(b []byte) [][]byte {
			m := reply(b, dns.RcodeRefused)
			m.Question, m.Extra = nil, nil
			return [][]byte{packed(m)}
		}, measurements.DNSRefused, 1, dns.RcodeRefused},
		{"truncated with an address", truncated(aRecord(public)), "", 1, 0},
		{"truncated without one", truncated(), measurements.DNSMisbehaving, 1, 0},
		{"larger than was asked for", func(b []byte) [][]byte {
			m := reply(b, 0, aRecord(public))
			for range 50 {
				m.Extra = append(m.Extra, must(dns.NewRR(`x.example. 5 IN TXT "`+strings.Repeat("x", 200)+`"`)))
			}
			return [][]byte{packed(m)}
		}, measurements.DNSMisbehaving, 3, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				o := askedOnPipes(t, c.answer, measurements.IPv4, patient)
				wantFailure(t, o, c.want)
				if o.DNS.Attempts != c.attempts || o.DNS.Rcode != c.rcode || len(o.DNS.Raw) > keptAnswer || c.want == measurements.DNSMisbehaving && len(o.DNS.Raw) == 0 {
					t.Errorf("got %d attempts, rcode %d, %d bytes kept", o.DNS.Attempts, o.DNS.Rcode, len(o.DNS.Raw))
				}
			})
		})
	}
}

// Each attempt has an id of its own, and a late answer to the first one counts.
func TestResolveSlowResolver(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		heard := make(chan uint16, len(udpShares))
		h := onPipes(func(far net.Conn) {
			b := make([]byte, mostUDP)
			n, err := far.Read(b)
			if err != nil {
				return
			}
			if heard <- binary.BigEndian.Uint16(b); len(heard) == 1 {
				time.Sleep(2 * time.Second) // the second attempt is made after one
				_, _ = far.Write(packed(reply(b[:n], 0, aRecord(public))))
			}
			idle(far)
		})
		o := h.Resolve(within(t, 6*time.Second), Resolver{URL: "udp://" + pipedResolver}, site, measurements.IPv4)
		wantFailure(t, o, "")
		first, second := <-heard, <-heard
		if o.DNS.Attempts != 2 || first == second {
			t.Errorf("%d attempts", o.DNS.Attempts)
		}
	})
}

// Attempts are spread over the step's time, each waiting longer than the one before, and the step ends
// when its time does. The clock is virtual.
func TestResolveSpread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		sent := make(chan time.Duration, len(udpShares))
		h := Host{Dial: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				far.Read(make([]byte, mostUDP))
				sent <- time.Since(started)
				far.Read(make([]byte, 1)) // until the step closes its end
			}()
			return near, nil
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
		defer cancel()
		o := h.Resolve(ctx, Resolver{URL: "udp://192.0.2.53"}, site, measurements.IPv4)
		wantFailure(t, o, measurements.Timeout)
		if a, b, c := <-sent, <-sent, <-sent; a != 0 || b != time.Second || c != 3*time.Second || time.Duration(o.Duration) != 6*time.Second {
			t.Errorf("sent at %v, %v, %v, over after %v", a, b, c, time.Duration(o.Duration))
		}
	})
}

// A resolver that does not know EDNS is asked again without, at once.
func TestResolveWithoutEDNS(t *testing.T) {
	t.Parallel()
	strict := func(b []byte) [][]byte {
		var q dns.Msg
		if q.Unpack(b) != nil || q.IsEdns0() != nil {
			m := new(dns.Msg).SetRcode(&q, dns.RcodeFormatError)
			return [][]byte{packed(m)}
		}
		return [][]byte{packed(reply(b, 0, aRecord(public)))}
	}
	inBubble(t, func(t *testing.T) {
		o := askedOnPipes(t, strict, measurements.IPv4, patient)
		if wantFailure(t, o, ""); o.DNS.Attempts != 2 || time.Duration(o.Duration) != 2*acrossPipe {
			t.Errorf("got %+v after %v", o.DNS, time.Duration(o.Duration))
		}
		never := func(b []byte) [][]byte { return [][]byte{packed(reply(b, dns.RcodeFormatError))} }
		o = askedOnPipes(t, never, measurements.IPv4, patient)
		if wantFailure(t, o, measurements.DNSMisbehaving); o.DNS.Rcode != dns.RcodeFormatError {
			t.Errorf("got %d attempts, rcode %d, %d bytes kept", o.DNS.Attempts, o.DNS.Rcode, len(o.DNS.Raw))
		}
	})
}

func TestResolveEnds(t *testing.T) {
	t.Parallel()
	wantFailure(t, asked(t, "udp://"+closed(t, "udp").String(), measurements.IPv4, patient), measurements.ConnectionRefused)
	wantFailure(t, asked(t, "tcp://"+closed(t, "tcp").String(), measurements.IPv4, patient), measurements.ConnectionRefused)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(brief/3, cancel)
	o := there.Resolve(ctx, Resolver{URL: "udp://" + serveUDP(t, silent).String()}, site, measurements.IPv4)
	wantFailure(t, o, measurements.Interrupted)
}

// framed serves DNS over a stream.
func framed(handle func(query []byte) []byte) func(io.ReadWriter) {
	return func(c io.ReadWriter) {
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		b := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		if b = handle(b); b != nil {
			c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
		}
	}
}

// answering gives the site's address.
func answering(b []byte) []byte { return packed(reply(b, 0, aRecord(public))) }

func TestResolveTCP(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		handle func([]byte) []byte
		want   measurements.Failure
	}{
		{"an address", answering, ""},
		{"NXDOMAIN", func(b []byte) []byte { return packed(reply(b, dns.RcodeNameError)) }, measurements.DNSNXDomain},
		{"the end of the stream", func([]byte) []byte { return nil }, measurements.EOF},
		{"junk", func(b []byte) []byte { return append(b[:2], 0x81, 0x80, 0, 1, 0, 9, 0xff) }, measurements.DNSMisbehaving},
		{"an empty message", func([]byte) []byte { return []byte{} }, measurements.DNSMisbehaving},
		{"a wrong id", func(b []byte) []byte { b = answering(b); b[0]++; return b }, measurements.DNSWrongQueryID},
		{"an echo", func(b []byte) []byte { return b }, measurements.DNSMisbehaving},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at := serveTCP(t, func(conn *net.TCPConn) { framed(c.handle)(conn) })
			o := asked(t, "tcp://"+at.String(), measurements.IPv4, patient)
			wantFailure(t, o, c.want)
			if o.Transport != "tcp" || o.DNS.Transport != "tcp" || o.DNS.Attempts != 1 || o.Sent == 0 {
				t.Errorf("got %+v, %+v", o, o.DNS)
			}
		})
	}
	reset := serveTCP(t, func(c *net.TCPConn) { hear(c); abort(c) })
	wantFailure(t, asked(t, "tcp://"+reset.String(), measurements.IPv4, patient), measurements.ConnectionReset)
	mute := serveTCP(t, func(c *net.TCPConn) { idle(c) })
	wantFailure(t, asked(t, "tcp://"+mute.String(), measurements.IPv4, brief), measurements.Timeout)
}

// DoH and DoT answer at the address that is given beside the name, and under that name alone.
func TestResolveEncrypted(t *testing.T) {
	t.Parallel()
	resolve := func(t *testing.T, url string, at netip.AddrPort, patience time.Duration) measurements.Observation {
		url = strings.Replace(url, "PORT", strconv.Itoa(int(at.Port())), 1)
		return there.Resolve(within(t, patience), Resolver{URL: url, Addresses: []netip.Addr{at.Addr()}}, site, measurements.IPv4)
	}
	dot := serveDoT(t)
	o := resolve(t, "tls://"+site+":PORT", dot, patient)
	wantFailure(t, o, "")
	wantAddresses(t, o, public)
	if o.DNS.Transport != "dot" || o.Transport != "tcp" || o.Endpoint != dot.String() {
		t.Errorf("got %+v, %+v", o, o.DNS)
	}
	wantFailure(t, resolve(t, "tls://other.example:PORT", dot, patient), measurements.SSLInvalidHostname)
	page := serveTCP(t, func(c *net.TCPConn) { hear(c); c.Write([]byte("HTTP/1.1 403 Forbidden\r\n\r\n")) })
	wantFailure(t, resolve(t, "tls://"+site+":PORT", page, patient), measurements.TLSNotTLS)
	reset := serveTCP(t, func(c *net.TCPConn) { hear(c); abort(c) })
	wantFailure(t, resolve(t, "https://"+site+":PORT/dns-query", reset, patient), measurements.ConnectionReset)
	mute := serveTCP(t, func(c *net.TCPConn) { idle(c) })
	wantFailure(t, resolve(t, "https://"+site+":PORT/dns-query", mute, brief), measurements.Timeout)

	for _, alpn := range []string{"h2", "http/1.1"} {
		at := serveDoH(t, alpn)
		for path, want := range map[string]measurements.Failure{
			"/dns-query": "", "/dns-query{?dns}": "", "/missing": measurements.DNSMisbehaving, "/page": measurements.DNSMisbehaving,
			"/dies": measurements.HTTPRequestFailed, "/silent": measurements.Timeout,
		} {
			patience := patient
			if path == "/silent" {
				patience = 2 * brief
			}
			o := resolve(t, "https://"+site+":PORT"+path, at, patience)
			if path == "/dies" && alpn == "http/1.1" {
				want = measurements.EOF
			}
			wantFailure(t, o, want)
			if o.DNS.Transport != "doh" || o.Transport != "tcp" || want == "" && o.DNS.Rcode != 0 {
				t.Errorf("%s %s: got %+v", alpn, path, o.DNS)
			}
		}
	}
}

// A resolver that is given by its name alone is looked up at the system's.
func TestResolveBootstrap(t *testing.T) {
	t.Parallel()
	dot := serveDoT(t)
	system := serveUDP(t, func(b []byte) [][]byte {
		return [][]byte{packed(reply(b, 0, aRecord("192.0.2.53")))}
	})
	h := there
	h.SystemResolvers = func() ([]netip.AddrPort, error) { return []netip.AddrPort{system}, nil }
	h.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if network == "tcp4" && address == "192.0.2.53:853" {
			address = dot.String()
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	o := h.Resolve(within(t, patient), Resolver{URL: "tls://" + site}, site, measurements.IPv4)
	wantFailure(t, o, "")
	if o.Endpoint != "192.0.2.53:853" || o.DNS.Class != "public" {
		t.Errorf("got %+v", o)
	}
	h.SystemResolvers = func() ([]netip.AddrPort, error) { return []netip.AddrPort{closed(t, "udp")}, nil }
	o = h.Resolve(within(t, patient), Resolver{URL: "tls://" + site}, site, measurements.IPv4)
	if o.Failure != measurements.ConnectionRefused || o.Endpoint != "" || o.DNS.Rcode != -1 {
		t.Errorf("got %+v", o)
	}
}

// A resolver that can't be asked is told of in the observation, too.
func TestResolveBadResolver(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "udp://", "quic://192.0.2.53", "192.0.2.53", "udp://192.0.2.53:99999", "udp://%"} {
		o := there.Resolve(within(t, brief), Resolver{URL: u}, site, measurements.IPv4)
		if !o.Failure.IsUnknown() || o.Error == "" || o.DNS == nil || o.DNS.Rcode != -1 || o.Endpoint != "" || o.Sent != 0 {
			t.Errorf("%q: got %+v", u, o)
		}
	}
	wantFailure(t, there.Resolve(within(t, brief), Resolver{URL: "udp://" + closed(t, "udp").String()}, strings.Repeat("x", 64), measurements.IPv4), measurements.Unknown("dns: bad rdata"))
}

// A resolver says over each transport what it calls itself.
func TestIdentify(t *testing.T) {
	t.Parallel()
	say := func(text string) func([]byte) []byte {
		return func(b []byte) []byte {
			var q dns.Msg
			if q.Unpack(b) != nil || q.Question[0].Qclass != dns.ClassCHAOS || q.Question[0].Name != "version.bind." {
				return nil
			}
			return packed(reply(b, 0, `version.bind. 0 CH TXT "`+text+`"`))
		}
	}
	udp := serveUDP(t, func(b []byte) [][]byte { return [][]byte{say("dnsmasq-2.90")(b)} })
	o := there.Identify(within(t, patient), Resolver{URL: "udp://" + udp.String()})
	if wantFailure(t, o, ""); o.DNS.Identity != "dnsmasq-2.90" || o.DNS.Type != "TXT" || o.Family != measurements.IPv4 {
		t.Errorf("got %d attempts, rcode %d, %d bytes kept", o.DNS.Attempts, o.DNS.Rcode, len(o.DNS.Raw))
	}
	tcp := serveTCP(t, func(c *net.TCPConn) { framed(say(strings.Repeat(`x" "y`, 150)))(c) })
	o = there.Identify(within(t, patient), Resolver{URL: "tcp://" + tcp.String()})
	if wantFailure(t, o, ""); len(o.DNS.Identity) != identityBytes {
		t.Errorf("got %q", o.DNS.Identity)
	}
	refusing := serveUDP(t, func(b []byte) [][]byte { return [][]byte{packed(reply(b, dns.RcodeRefused))} })
	wantFailure(t, there.Identify(within(t, patient), Resolver{URL: "udp://" + refusing.String()}), measurements.DNSRefused)
	empty := serveUDP(t, func(b []byte) [][]byte { return [][]byte{packed(reply(b, 0))} })
	wantFailure(t, there.Identify(within(t, patient), Resolver{URL: "udp://" + empty.String()}), measurements.DNSNoAnswer)
}

// serveDoT answers over TLS.
func serveDoT(t *testing.T) netip.AddrPort {
	t.Helper()
	return serveTLS(t, serverConfig(good, "dot"), func(c *tls.Conn) { framed(answering)(c) })
}

// serveDoH answers over HTTPS, and misbehaves at some paths.
func serveDoH(t *testing.T, alpn string) netip.AddrPort {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /dns-query", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != dnsMessage || r.UserAgent() != "" || b[0] != 0 || b[1] != 0 {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", dnsMessage)
		w.Write(answering(b))
	})
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") })
	mux.HandleFunc("/dies", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/silent", func(_ http.ResponseWriter, r *http.Request) { io.ReadAll(r.Body); <-r.Context().Done() })
	server := &http.Server{Handler: mux, TLSConfig: serverConfig(good, alpn)}
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(alpn != "h2")
	server.Protocols.SetHTTP2(alpn == "h2")
	l := must(net.Listen("tcp4", "127.0.0.1:0"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.ServeTLS(l, "", "")
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	return netip.MustParseAddrPort(l.Addr().String())
}
