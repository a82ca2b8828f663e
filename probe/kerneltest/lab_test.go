package kerneltest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	soon      = 500 * time.Millisecond // what silence costs a test
	patiently = time.Minute            // for what has to come, on a machine that has much else to do
)

// family is what differs between the two halves of every test.
type family struct {
	name   string
	tcp    string
	udp    string
	server func(*Lab, int) netip.Addr
	tables func(*Lab, ...string)
}

var families = []family{
	{"ipv4", "tcp4", "udp4", (*Lab).ServerAddr, (*Lab).IPTables},
	{"ipv6", "tcp6", "udp6", (*Lab).ServerAddr6, (*Lab).IP6Tables},
}

// echo sends back what arrives at a port of the server, whatever the address.
func echo(l *Lab, network, port string) {
	listener := l.Listen(Server, network, ":"+port)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
}

// ask connects, says something and returns what came back.
func ask(l *Lab, network string, server netip.AddrPort, say string, patience time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := l.Dial(ctx, network, server.String())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, say); err != nil {
		return "", err
	}
	answer := make([]byte, len(say))
	n, err := io.ReadFull(conn, answer)
	return string(answer[:n]), err
}

// The lab carries traffic, and a rule of the router fails it in the way that the rule says.
func TestKernelSmoke(t *testing.T) {
	t.Parallel()
	l := New(t)
	for _, f := range families {
		echo(l, f.tcp, "443")
		rule := func(i int, args ...string) {
			f.tables(l, append([]string{"-A", "FORWARD", "-d", f.server(l, i).String(), "-p", "tcp"}, args...)...)
		}
		rule(1, "-j", "REJECT", "--reject-with", "tcp-reset")
		rule(2, "-j", "DROP")
		rule(3, "-m", "string", "--string", "forbidden", "--algo", "bm", "-j", "REJECT", "--reject-with", "tcp-reset")

		tests := []struct {
			name   string
			server int
			say    string
			want   func(error) bool
		}{
			{"passes", 0, "forbidden elsewhere", nothing},
			{"refused by a forged reset", 1, "hello", is(syscall.ECONNREFUSED)},
			{"dropped", 2, "hello", timeout},
			{"reset at a word", 3, "say the forbidden word", is(syscall.ECONNRESET)},
			{"no such word", 3, "say another word", nothing},
		}
		for _, tt := range tests {
			t.Run(f.name+" "+tt.name, func(t *testing.T) {
				patience := patiently
				if tt.name == "dropped" {
					patience = soon
				}
				answer, err := ask(l, f.tcp, netip.AddrPortFrom(f.server(l, tt.server), 443), tt.say, patience)
				if !tt.want(err) || err == nil && answer != tt.say {
					t.Errorf("answer %q, error %v", answer, err)
				}
			})
		}
	}
}

func nothing(err error) bool { return err == nil }

func timeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }

// A connected UDP socket made inside the lab hears of ICMP, in as many tries as we like: the kernel's
// rate limit for it is off.
func TestKernelICMP(t *testing.T) {
	t.Parallel()
	l := New(t)
	for _, f := range families {
		for try := range 3 {
			_, err := ask(l, f.udp, netip.AddrPortFrom(f.server(l, 0), 443), "hello", patiently)
			if !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%s, try %d: %v, want %v", f.name, try, err, syscall.ECONNREFUSED)
			}
		}
	}
}

// Nothing leaves: the router knows no way to any address but the lab's own. Its word on a SYN may
// take a second to be heard (see the package's comment).
func TestKernelNoWayOut(t *testing.T) {
	t.Parallel()
	l := New(t)
	for network, elsewhere := range map[string]string{"tcp4": "198.18.0.1:443", "tcp6": "[2001:db8:ffff::1]:443"} {
		if _, err := ask(l, network, netip.MustParseAddrPort(elsewhere), "hello", patiently); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("%s: %v, want %v", elsewhere, err, syscall.ENETUNREACH)
		}
	}
	if routes := l.Run(Router, "ip", "route", "show", "default") + l.Run(Router, "ip", "-6", "route", "show", "default"); routes != "" {
		t.Errorf("the router has a way out: %s", routes)
	}
}

// Two labs with the same addresses do not see each other, and leave nothing behind.
func TestKernelLabsSideBySide(t *testing.T) {
	var ids []string
	t.Run("", func(t *testing.T) {
		open, closed := New(t), New(t)
		ids = append(ids, open.id, closed.id)
		server := netip.AddrPortFrom(open.ServerAddr(0), 443)
		echo(open, "tcp4", "443")
		if _, err := ask(open, "tcp4", server, "hello", patiently); err != nil {
			t.Errorf("where a server listens: %v", err)
		}
		if _, err := ask(closed, "tcp4", server, "hello", patiently); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("where none does: %v", err)
		}
	})
	for _, id := range ids {
		if left, _ := filepath.Glob("/var/run/netns/*" + id + "*"); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// A thread that was inside a lab is not used again: other goroutines see the machine's own network.
func TestKernelDoLeavesNoTrace(t *testing.T) {
	l := New(t)
	links := func() string {
		b, err := os.ReadFile("/proc/thread-self/net/dev")
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	var inside string
	l.Do(Router, func() { inside = links() })
	if !strings.Contains(inside, "client:") {
		t.Errorf("the router's links are missing: %s", inside)
	}
	for range 50 {
		seen := make(chan string)
		go func() { seen <- links() }()
		if strings.Contains(<-seen, "client:") {
			t.Fatal("a goroutine outside sees the router's links")
		}
	}
}

// RunClient runs whole programs on the lab's network.
func TestKernelRunClient(t *testing.T) {
	l := New(t)
	if out := l.RunClient("ip", "-brief", "addr", "show", "uplink"); !strings.Contains(out, "192.0.2.2/24") {
		t.Errorf("the client's link: %s", out)
	}
}
