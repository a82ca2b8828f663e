package netlab

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"
)

var resolverAt = netip.MustParseAddrPort("203.0.113.53:53")

// resolve serves DNS over UDP and TCP: every name is at one address.
func (n *Network) resolve(t *testing.T, at netip.AddrPort, address string) {
	t.Helper()
	answer := func(b []byte) []byte {
		q := new(dns.Msg)
		if q.Unpack(b) != nil {
			return nil
		}
		m := new(dns.Msg).SetReply(q)
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.ParseIP(address)}}
		out, _ := m.Pack()
		return out
	}
	p, err := n.ListenPacket(at)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		b := make([]byte, 2000)
		for {
			k, from, err := p.ReadFrom(b)
			if err != nil {
				return
			}
			p.WriteTo(answer(b[:k]), from)
		}
	}()
	n.serve(t, at, func(c net.Conn) {
		for {
			var size uint16
			if binary.Read(c, binary.BigEndian, &size) != nil {
				return
			}
			b := make([]byte, size)
			io.ReadFull(c, b)
			out := answer(b)
			c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...))
		}
	})
}

// ask sends one query and gives all answers that come within a second, in words, with their times.
func (n *Network) ask(t *testing.T, network, name string) string {
	t.Helper()
	raw, err := n.Dial(t.Context(), network, resolverAt.String())
	if err != nil {
		return nest(err)
	}
	c := &dns.Conn{Conn: raw}
	if network == "udp4" {
		c.Conn = packets{raw} // miekg/dns tells datagrams by their type
	}
	defer c.Close()
	begun := time.Now()
	if err := c.WriteMsg(new(dns.Msg).SetQuestion(name, dns.TypeA)); err != nil {
		return nest(err)
	}
	var words []string
	for c.SetReadDeadline(time.Now().Add(time.Second)); ; {
		m, err := c.ReadMsg()
		if err != nil {
			if len(words) == 0 {
				return "nothing"
			}
			return strings.Join(words, ", ")
		}
		word := dns.RcodeToString[m.Rcode]
		for _, rr := range m.Answer {
			word += " " + rr.(*dns.A).A.String()
		}
		words = append(words, word+" "+time.Since(begun).String())
	}
}

// Forged answers come from the box; a box beside the path can't keep the genuine one away.
func TestForgedAnswers(t *testing.T) {
	bogus := []netip.Addr{netip.MustParseAddr("10.10.34.35"), netip.MustParseAddr("d0::11")}
	for _, test := range []struct {
		rule     Rule
		udp, tcp string
	}{
		{Rule{Action: DNSForge, Answer: bogus}, "NOERROR 10.10.34.35 15ms", "NOERROR 10.10.34.35 15ms"},
		{Rule{Action: DNSForge, Answer: bogus, OnPath: true}, "NOERROR 10.10.34.35 15ms, NOERROR 192.0.2.1 60ms", "NOERROR 10.10.34.35 15ms, NOERROR 192.0.2.1 60ms"},
		{Rule{Action: DNSNXDomain}, "NXDOMAIN 15ms", "NXDOMAIN 15ms"},
		{Rule{Action: DNSServfail}, "SERVFAIL 15ms", "SERVFAIL 15ms"},
		{Rule{Action: DNSRefused, Position: 1}, "REFUSED 60ms", "REFUSED 60ms"},
		{Rule{Action: DNSEmpty}, "NOERROR 15ms", "NOERROR 15ms"},
		{Rule{Action: Drop}, "nothing", "nothing"},
		{Rule{Action: DNSRedirect, Answer: []netip.Addr{netip.MustParseAddr("198.51.100.53")}}, "NOERROR 192.0.2.9 60ms", "NOERROR 192.0.2.1 60ms"},
	} {
		t.Run(string(test.rule.Action), func(t *testing.T) {
			onWire(t, far, func(t *testing.T, n *Network) {
				n.resolve(t, resolverAt, "192.0.2.1")
				n.resolve(t, netip.MustParseAddrPort("198.51.100.53:53"), "192.0.2.9")
				test.rule.ID, test.rule.Protocol, test.rule.Names = "box", DNS, []string{".a.org"}
				n.Censor(test.rule)
				for network, want := range map[string]string{"udp4": test.udp, "tcp4": test.tcp} {
					if got := n.ask(t, network, "www.A.org."); got != want {
						t.Errorf("%s: %s, want %s", network, got, want)
					}
					if got := n.ask(t, network, "b.org."); got != "NOERROR 192.0.2.1 60ms" {
						t.Errorf("%s: a name that is free: %s", network, got)
					}
				}
			})
		})
	}
}

// Several injectors may answer one query, each in its time, before the genuine answer; one that is no
// racer decides, and those behind it see nothing.
func TestSeveralInjectors(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		n.resolve(t, resolverAt, "192.0.2.1")
		forge := func(to string, late time.Duration, onPath bool) Rule {
			return Rule{ID: to, Protocol: DNS, Action: DNSForge, Answer: []netip.Addr{netip.MustParseAddr(to)}, Delay: late, OnPath: onPath}
		}
		n.Censor(forge("198.51.100.1", 10*time.Millisecond, true), forge("198.51.100.2", 0, true))
		if got, want := n.ask(t, "udp4", "a.org."), "NOERROR 198.51.100.2 15ms, NOERROR 198.51.100.1 25ms, NOERROR 192.0.2.1 60ms"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		n.SetRules(forge("198.51.100.1", 10*time.Millisecond, true), forge("198.51.100.2", 0, false), forge("198.51.100.3", 0, true))
		if got, want := n.ask(t, "udp4", "a.org."), "NOERROR 198.51.100.2 15ms, NOERROR 198.51.100.1 25ms"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

// A box beside the path lets the trigger pass, and drops what is sent from a while later, for as long
// as residual blocking goes on; a second trigger does not put it off.
func TestWakesUpLate(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		n.serveQUIC(t, edge, 100, "a.org")
		n.Censor(Rule{Protocol: QUIC, Names: []string{"a.org"}, Action: Drop, OnPath: true, Delay: 500 * time.Millisecond, Residual: time.Minute})
		begun := time.Now()
		for _, at := range []time.Duration{0, 250 * time.Millisecond, 501 * time.Millisecond, 50 * time.Second, 2 * time.Minute} {
			time.Sleep(at - time.Since(begun))
			_, err := n.fetch(t, edge, "a.org", false)
			if want := at < 500*time.Millisecond || at > time.Minute; (err == nil) != want {
				t.Errorf("at %v: %v", at, err)
			}
		}
	})
}

// What a white list spares passes, by address and by name.
func TestSpares(t *testing.T) {
	other := netip.MustParseAddrPort("198.51.100.20:443")
	onWire(t, far, func(t *testing.T, n *Network) {
		n.serveTLS(t, edge, "a.org", "b.org")
		n.serveTLS(t, other, "a.org")
		n.Censor(Rule{Protocol: TLS, Action: Reset, Spares: []netip.Prefix{netip.PrefixFrom(other.Addr(), 32)}, SparesNames: []string{".b.org"}})
		for _, test := range []struct {
			at     netip.AddrPort
			name   string
			passes bool
		}{{edge, "a.org", false}, {edge, "b.org", true}, {other, "a.org", true}} {
			c, err := n.shake(t, test.at, small(test.name))
			if (err == nil) != test.passes {
				t.Errorf("%v %s: %v", test.at, test.name, err)
			}
			if err == nil {
				c.Close()
			}
		}
	})
}

// A box that eats one query lets the next one on the same socket pass.
func TestDropsOneQuery(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		n.resolve(t, resolverAt, "192.0.2.1")
		n.Censor(Rule{Protocol: DNS, Names: []string{"a.org"}, Action: Drop})
		c := &dns.Conn{Conn: packets{n.socket(t, resolverAt)}}
		for _, name := range []string{"a.org.", "b.org."} {
			c.WriteMsg(new(dns.Msg).SetQuestion(name, dns.TypeA))
		}
		if m, err := c.ReadMsg(); err != nil || m.Question[0].Name != "b.org." {
			t.Errorf("%v, %v", m, err)
		}
	})
}

// What happens to QUIC, by the name in the Initial or by its version alone, whatever the hello's size.
func TestActionsOnQUIC(t *testing.T) {
	idle := func(err error) bool { _, ok := errors.AsType[*quic.IdleTimeoutError](err); return ok }
	for name, test := range map[string]struct {
		rule Rule
		want func(error) bool
		near bool // at the box's time
	}{
		"drop by name":    {Rule{Protocol: QUIC, Names: []string{"a.org"}, Action: Drop}, idle, false},
		"drop version 1":  {Rule{Protocol: QUIC, Action: Drop}, idle, false},
		"drop datagrams":  {Rule{Protocol: UDP, Ports: []uint16{443}, Action: Drop}, idle, false},
		"no way back":     {Rule{Protocol: UDP, Direction: "in", Action: Drop}, idle, false},
		"soft ICMP":       {Rule{Protocol: QUIC, Action: ICMP, Code: 1}, idle, false},
		"port closed":     {Rule{Protocol: QUIC, Names: []string{"a.org"}, Action: ICMP, Code: 3}, func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }, true},
		"prohibited":      {Rule{Protocol: QUIC, Action: ICMP, Code: 13}, func(err error) bool { return errors.Is(err, syscall.EHOSTUNREACH) }, true},
		"forged version":  {Rule{Protocol: QUIC, Action: QUICVersion}, func(err error) bool { _, ok := errors.AsType[*quic.VersionNegotiationError](err); return ok }, true},
		"a stream's cure": {Rule{Protocol: QUIC, Action: Intercept}, func(err error) bool { return err == nil }, false},
	} {
		for _, large := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				onWire(t, far, func(t *testing.T, n *Network) {
					n.serveQUIC(t, edge, 100, "a.org")
					test.rule.ID = "box"
					n.Censor(test.rule)
					begun := time.Now()
					_, err := n.fetch(t, edge, "a.org", large)
					if !test.want(err) || (n.Fired("box") > 0) != (test.rule.Action != Intercept) {
						t.Errorf("large=%v: %v, fired %d", large, err, n.Fired("box"))
					}
					if took := time.Since(begun); test.near && (took < 15*time.Millisecond || took > 16*time.Millisecond) {
						t.Errorf("large=%v: after %v", large, took)
					}
				})
			})
		}
	}
}

// A forged close looks as if the server had sent it.
func TestForgedClose(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		n.serveQUIC(t, edge, 100, "a.org", "b.org")
		n.Censor(Rule{Protocol: QUIC, Names: []string{"a.org"}, Shape: "small", Action: QUICClose, Alert: 0x170})
		_, err := n.fetch(t, edge, "a.org", false)
		if e, ok := errors.AsType[*quic.TransportError](err); !ok || !e.Remote || e.ErrorCode != 0x170 {
			t.Errorf("%v", err)
		}
		if _, err := n.fetch(t, edge, "b.org", false); err != nil {
			t.Errorf("another name: %v", err)
		}
		if _, err := n.fetch(t, edge, "a.org", true); err != nil {
			t.Errorf("another shape: %v", err)
		}
	})
}

// A socket outlives residual blocking.
func TestResidualDatagrams(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		n.resolve(t, resolverAt, "192.0.2.1")
		n.Censor(Rule{Protocol: DNS, Names: []string{"a.org"}, Action: Drop, Residual: time.Minute})
		c := &dns.Conn{Conn: packets{n.socket(t, resolverAt)}}
		c.SetReadDeadline(time.Now().Add(time.Hour))
		c.WriteMsg(new(dns.Msg).SetQuestion("a.org.", dns.TypeA))
		for want := range 2 {
			c.WriteMsg(new(dns.Msg).SetQuestion("b.org.", dns.TypeA))
			time.Sleep(time.Minute)
			c.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := c.ReadMsg(); (err == nil) != (want == 1) {
				t.Errorf("%d: %v", want, err)
			}
		}
	})
}

// A box that throttles datagrams drops what its queue can't hold.
func TestThrottledDatagrams(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		n.serveQUIC(t, edge, 100e3, "a.org")
		n.Censor(Rule{Protocol: QUIC, Names: []string{"a.org"}, Action: Throttle, Rate: 256e3})
		begun := time.Now()
		got, err := n.fetch(t, edge, "a.org", false)
		if rate := float64(got) * 8 / time.Since(begun).Seconds(); err != nil || rate > 256e3 || rate < 100e3 {
			t.Errorf("%.0f bit/s, %v", rate, err)
		}
	})
}
