package netlab

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What a box answers passes the queue that stands nearer to the vantage, as what it answers to did: a second each way,
// and each way of the connect before.
func TestAnswersPassTheQueueAtHome(t *testing.T) {
	const late = time.Second
	for position, after := range map[float64]time.Duration{0.5: 4*late + 90*time.Millisecond, 1: 4*late + 120*time.Millisecond, 0.01: 2*late + 60*time.Millisecond + 600*time.Microsecond} {
		onWire(t, far, func(t *testing.T, n *Network) {
			n.serve(t, edge, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
			n.Censor(
				Rule{ID: "queue", Protocol: Any, Action: Delay, Delay: late, Position: 0.02},
				Rule{ID: "box", Protocol: TLS, Names: []string{".a.org"}, Action: Reset, Position: position},
			)
			begun := time.Now()
			if _, err := n.shake(t, edge, small("www.A.org")); !strings.Contains(nest(err), "connection reset by peer") {
				t.Errorf("got %s", nest(err))
			}
			if took := time.Since(begun); took != after {
				t.Errorf("a box at %g: after %v, want %v", position, took, after)
			}
		})
	}
}

// small is a hello of one segment.
func small(name string) *tls.Config {
	return &tls.Config{ServerName: name, CurvePreferences: []tls.CurveID{tls.X25519}}
}

// What each action does to a handshake, and when the vantage learns of it: 60 ms of connecting, then
// 15 ms to the box and back.
func TestActionsOnAHello(t *testing.T) {
	near := 75 * time.Millisecond
	for _, test := range []struct {
		rule  Rule
		after time.Duration
		want  string
	}{
		{Rule{Action: Drop}, 10*time.Second + 60*time.Millisecond, "i/o timeout"},
		{Rule{Action: Drop, Direction: "in"}, 10*time.Second + 60*time.Millisecond, "i/o timeout"},
		{Rule{Action: ICMP, Code: 13}, 10*time.Second + 60*time.Millisecond, "i/o timeout"}, // soft once a connection stands
		{Rule{Action: Reset}, near, "SyscallError{read} > connection reset by peer"},
		{Rule{Action: Reset, Position: 1}, 120 * time.Millisecond, "SyscallError{read} > connection reset by peer"},
		{Rule{Action: Close}, near, "EOF"},
		{Rule{Action: AlertAction, Alert: 112}, near, "OpError{remote error  source=false addr=false timeout=false} > tls: unrecognized name"},
		{Rule{Action: Page, Page: "HTTP/1.1 403 Forbidden\r\n\r\n"}, near, "tls: first record does not look like a TLS handshake"},
	} {
		t.Run(string(test.rule.Action), func(t *testing.T) {
			onWire(t, far, func(t *testing.T, n *Network) {
				ended := make(chan error, 1)
				n.serve(t, edge, func(c net.Conn) { _, err := io.Copy(io.Discard, c); ended <- err })
				test.rule.ID, test.rule.Protocol, test.rule.Names = "box", TLS, []string{".a.org"}
				n.Censor(test.rule)
				begun := time.Now()
				_, err := n.shake(t, edge, small("www.A.org"))
				if got := nest(err); !strings.HasSuffix(got, test.want) {
					t.Errorf("got %s, want %s", got, test.want)
				}
				if took := time.Since(begun); took != test.after {
					t.Errorf("after %v, want %v", took, test.after)
				}
				if n.Fired("box") != 1 {
					t.Errorf("fired %d times", n.Fired("box"))
				}
				if test.after != near {
					return
				}
				if err := <-ended; !errors.Is(err, syscall.ECONNRESET) || time.Since(begun) > 90*time.Millisecond {
					t.Errorf("the server's end: %v after %v", err, time.Since(begun))
				}
			})
		})
	}
}

// Which names and shapes a rule is about; a handshake that it isn't about passes.
func TestMatch(t *testing.T) {
	for _, test := range []struct {
		name string
		rule Rule
		sni  string
		big  bool
		dies bool
	}{
		{"whole", Rule{Names: []string{"a.org"}}, "a.org", false, true},
		{"whole, below", Rule{Names: []string{"a.org"}}, "www.a.org", false, false},
		{"suffix", Rule{Names: []string{".a.org"}}, "www.a.org", false, true},
		{"suffix itself", Rule{Names: []string{".a.org"}}, "a.org", false, true},
		{"suffix, not a label", Rule{Names: []string{".a.org"}}, "ba.org", false, false},
		{"substring", Rule{Names: []string{"a.org"}, Substring: true}, "ba.organic", false, true},
		{"any name", Rule{Names: []string{"*"}}, "x", false, true},
		{"any name, none", Rule{Names: []string{"*"}}, "", false, false},
		{"no names, none", Rule{}, "", false, true},
		{"big hello, whole", Rule{Names: []string{"a.org"}}, "a.org", true, true},
		{"small alone, small", Rule{Shape: "small"}, "a.org", false, true},
		{"small alone, big", Rule{Shape: "small"}, "a.org", true, false},
		{"large alone, big", Rule{Shape: "large"}, "a.org", true, true},
		{"large alone, small", Rule{Shape: "large"}, "a.org", false, false},
		{"family", Rule{Family: "ipv6"}, "a.org", false, false},
		{"port", Rule{Ports: []uint16{80, 8443}}, "a.org", false, false},
		{"address", Rule{Addresses: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}, "a.org", false, true},
		{"other address", Rule{Addresses: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}, "a.org", false, false},
		{"later", Rule{From: time.Hour}, "a.org", false, false},
		{"over", Rule{Until: time.Millisecond}, "a.org", false, false},
		{"another protocol's action", Rule{Action: DNSNXDomain}, "a.org", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			onWire(t, far, func(t *testing.T, n *Network) {
				n.serveTLS(t, edge, "a.org")
				if test.rule.Protocol = TLS; test.rule.Action == "" {
					test.rule.Action = Reset
				}
				n.Censor(test.rule)
				config := small(test.sni)
				if test.big {
					config.CurvePreferences = nil
				}
				c, err := n.shake(t, edge, config)
				if died := err != nil; died != test.dies || (n.Fired("rule-1") > 0) != test.dies {
					t.Errorf("%v, fired %d", err, n.Fired("rule-1"))
				}
				if c != nil {
					c.Close()
				}
			})
		})
	}
}

// A hello that comes in pieces is put together, and one in clear is read by its Host.
func TestBoxReassembles(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		n.serve(t, edge, hold)
		n.Censor(Rule{ID: "tls", Protocol: TLS, Names: []string{"a.org"}, Action: Reset}, Rule{ID: "http", Protocol: HTTP, Names: []string{"b.org"}, Action: Close})
		for _, test := range []struct{ id, bytes, want string }{
			{"tls", firstFlight(t, "a.org"), "connection reset by peer"},
			{"http", "POST / HTTP/1.1\r\nhost: B.org:80\r\n\r\n", "EOF"},
			{"", "GET / HTTP/1.1\r\nHost: c.org\r\n\r\n", "i/o timeout"},
			{"", "\xef\x0a", "i/o timeout"},
		} {
			c := n.connect(t, edge)
			for i := range len(test.bytes) { // by bytes, not by runes
				if _, err := io.WriteString(c, test.bytes[i:i+1]); err != nil {
					t.Fatal(err)
				}
			}
			if got := read(c); !strings.HasSuffix(got, test.want) || test.id != "" && n.Fired(test.id) != 1 {
				t.Errorf("%s: %s", test.want, got)
			}
		}
	})
}

// firstFlight is what a TLS client sends first.
func firstFlight(t *testing.T, name string) string {
	near, there := net.Pipe()
	defer near.Close()
	defer there.Close()
	go tls.Client(near, small(name)).Handshake()
	b := make([]byte, 4000)
	k, err := there.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:k])
}

// A box may answer the SYN itself, for a server that isn't there.
func TestAccept(t *testing.T) {
	for action, want := range map[Action]string{
		AcceptReset: "0 OpError{read tcp4 source=true addr=true timeout=false} > SyscallError{read} > connection reset by peer",
		AcceptClose: "0 EOF",
	} {
		onWire(t, far, func(t *testing.T, n *Network) {
			n.Censor(Rule{Protocol: TCP, Action: action})
			begun := time.Now()
			c := n.connect(t, elsewhere)
			if got := read(c); got != want || time.Since(begun) != 15*time.Millisecond {
				t.Errorf("%s after %v", got, time.Since(begun))
			}
		})
	}
}

// A stream may be cut after some bytes: by silence, a reset, or a FIN.
func TestCut(t *testing.T) {
	for action, want := range map[Action]error{Cut: os.ErrDeadlineExceeded, CutReset: syscall.ECONNRESET, CutClose: nil} {
		onWire(t, far, func(t *testing.T, n *Network) {
			n.serve(t, edge, sends(64<<10))
			n.Censor(Rule{Action: action, After: 16000, Addresses: []netip.Prefix{netip.PrefixFrom(edge.Addr(), 24)}})
			c := n.connect(t, edge)
			io.WriteString(c, "?")
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if b, err := io.ReadAll(c); len(b) != 16000 || !errors.Is(err, want) {
				t.Errorf("%s: %d bytes, %v", action, len(b), err)
			}
		})
	}
}

// Residual blocking hits whatever comes to the same transport, address and port, and nothing else, and
// ends. What was open before it is hit as well.
func TestResidual(t *testing.T) {
	other := netip.AddrPortFrom(edge.Addr(), 5222)
	for _, test := range []struct {
		action   Action
		syn, now string
	}{{Drop, "i/o timeout", "i/o timeout"}, {Reset, "connection refused", "connection reset by peer"}} {
		onWire(t, far, func(t *testing.T, n *Network) {
			n.serveTLS(t, edge, "a.org")
			n.serve(t, other, echo)
			n.echoDatagrams(t, edge)
			n.Censor(Rule{Protocol: TLS, Names: []string{"bad.org"}, Action: test.action, Residual: 3 * time.Minute})
			before := n.connect(t, edge)
			if _, err := n.shake(t, edge, small("bad.org")); err == nil {
				t.Fatal("the trigger passed")
			}
			begun := time.Now().Add(-10 * time.Second) // at the latest; a drop has taken ten seconds to show
			if _, err := n.shake(t, edge, small("a.org")); !strings.HasSuffix(nest(err), test.syn) {
				t.Errorf("%s: a new connection: %v", test.action, err)
			}
			io.WriteString(before, "!")
			if got := read(before); !strings.HasSuffix(got, test.now) {
				t.Errorf("%s: an open connection: %s", test.action, got)
			}
			for _, c := range []net.Conn{n.connect(t, other), n.socket(t, edge)} {
				if io.WriteString(c, "ping"); !strings.HasPrefix(read(c), "4") {
					t.Errorf("%s: %v is hit too", test.action, c.RemoteAddr())
				}
			}
			time.Sleep(3*time.Minute - time.Since(begun) + 10*time.Second)
			c, err := n.shake(t, edge, small("a.org"))
			if err != nil {
				t.Fatalf("%s: it does not end: %v", test.action, err)
			}
			c.Close()
		})
	}
}

// Rules come and go while the network runs, by the clock and by hand, and a probability is drawn once
// for each flow.
func TestRulesInTime(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		n.serveTLS(t, edge, "a.org")
		passes := func() bool {
			c, err := n.shake(t, edge, small("a.org"))
			if err == nil {
				c.Close()
			}
			return err == nil
		}
		n.Censor(Rule{ID: "window", Protocol: TLS, Action: Reset, From: time.Minute, Until: 2 * time.Minute})
		for minute, want := range []bool{true, false, true} {
			time.Sleep(time.Until(n.start.Add(time.Duration(minute)*time.Minute + time.Second)))
			if got := passes(); got != want {
				t.Errorf("minute %d: passes = %v", minute, got)
			}
		}
		n.SetRules(Rule{Protocol: TCP, Action: Reset, Residual: time.Hour})
		if passes() || len(n.Rules()) != 1 || n.Rules()[0].ID != "rule-1" {
			t.Errorf("a new rule: %+v", n.Rules())
		}
		if n.SetRules(); !passes() {
			t.Error("without rules")
		}
		n.SetRules(Rule{ID: "some", Protocol: TLS, Action: Reset, Probability: 0.3})
		died := 0
		for range 100 {
			if !passes() {
				died++
			}
		}
		if died < 18 || died > 42 || n.Fired("some") != died {
			t.Errorf("%d of 100 died, fired %d", died, n.Fired("some"))
		}
	})
}

// A SYN that a dead line swallows is sent again, and arrives when the line is back.
func TestLossEndsInTime(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		n.serveTLS(t, edge, "a.org")
		n.Censor(Rule{ID: "dead", Action: Lose, Until: 500 * time.Millisecond})
		began := time.Now()
		c, err := n.shake(t, edge, small("a.org"))
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if took := time.Since(began); took < synTimeout || took > 2*synTimeout {
			t.Errorf("it took %v, want one retransmission", took)
		}
	})
}

// A line that dies takes the flows along that were there before.
func TestLossBeginsInTime(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		n.serve(t, edge, echo)
		n.Censor(Rule{ID: "dead", Action: Lose, From: time.Second})
		c := n.connect(t, edge)
		echoed := func() error {
			if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			_, err := io.WriteString(c, "x")
			if err == nil {
				_, err = io.ReadFull(c, make([]byte, 1))
			}
			return err
		}
		if err := echoed(); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		if err := echoed(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("over a dead line: %v", err)
		}
	})
}

// The first rule that decides does; those that impair go along with it.
func TestOrderOfRules(t *testing.T) {
	onWire(t, far, func(t *testing.T, n *Network) {
		n.serveTLS(t, edge, "a.org")
		n.Censor(
			Rule{ID: "delay", Protocol: TCP, Action: Delay, Delay: 100 * time.Millisecond},
			Rule{ID: "unfit", Protocol: TLS, Action: QUICClose},
			Rule{ID: "first", Protocol: TLS, Action: Close},
			Rule{ID: "second", Protocol: TLS, Action: Reset})
		begun := time.Now()
		_, err := n.shake(t, edge, small("a.org"))
		if !errors.Is(err, io.EOF) || n.Fired("delay") != 1 || n.Fired("unfit") != 0 || n.Fired("first") != 1 || n.Fired("second") != 0 {
			t.Errorf("%v", err)
		}
		if took := time.Since(begun); took != 260*time.Millisecond+15*time.Millisecond {
			t.Errorf("after %v", took)
		}
	})
}
