package kerneltest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// addNamespace makes one, and has it removed when the test ends. Its links go with it.
func (l *Lab) addNamespace(ns string) (string, error) {
	out, err := ip("netns", "add", l.namespace(ns))
	if err == nil {
		l.t.Cleanup(func() {
			if out, err := ip("netns", "delete", l.namespace(ns)); err != nil {
				l.t.Errorf("the namespace of the %s stays: %v: %s", ns, err, out)
			}
		})
	}
	return out, err
}

// build makes the other namespaces, the links and the addresses. The router is there already.
func (l *Lab) build() {
	l.t.Helper()
	for _, ns := range []string{Client, Server} {
		if out, err := l.addNamespace(ns); err != nil {
			l.t.Fatalf("no namespace for the %s: %v: %s", ns, err, out)
		}
	}
	for _, ns := range []string{Client, Router, Server} {
		l.settings(ns)
		l.batch(ns, "link set lo up")
	}
	// Both ends are born inside their namespaces: the machine's own never sees them.
	l.batch(Router,
		"link add client type veth peer name uplink netns "+l.namespace(Client),
		"link add server type veth peer name uplink netns "+l.namespace(Server),
		"addr add 192.0.2.1/24 dev client", "addr add 2001:db8:1::1/64 dev client nodad",
		"addr add 203.0.113.1/24 dev server", "addr add 2001:db8:3::1/64 dev server nodad",
		"link set client up", "link set server up",
		"route add 198.51.100.0/24 via 203.0.113.2", "route add 2001:db8:2::/64 via 2001:db8:3::2")
	l.batch(Client,
		"addr add 192.0.2.2/24 dev uplink", "addr add 2001:db8:1::2/64 dev uplink nodad", "link set uplink up",
		"route add default via 192.0.2.1", "route add default via 2001:db8:1::1")
	server := []string{
		"addr add 203.0.113.2/24 dev uplink", "addr add 2001:db8:3::2/64 dev uplink nodad", "link set uplink up",
		"route add default via 203.0.113.1", "route add default via 2001:db8:3::1",
	}
	for i := range ServerAddrs {
		server = append(server, fmt.Sprintf("addr add %s/32 dev lo", l.ServerAddr(i)), fmt.Sprintf("addr add %s/128 dev lo nodad", l.ServerAddr6(i)))
	}
	l.batch(Server, server...)
	for _, a := range []netip.Addr{l.ServerAddr(0), l.ServerAddr6(0)} {
		l.untilCarried(netip.AddrPortFrom(a, closedPort))
	}
}

const (
	// closedPort is one at which nobody listens in a new lab.
	closedPort = 9
	// busy is how long the kernel may take to notice that links are up. Chosen by us: far more than it takes on a machine
	// that has much else to do.
	busy = time.Minute
)

// untilCarried waits until a datagram of the client's is refused by the server. What is sent before the kernel has noticed
// that a link is up is lost, the question for a neighbour's address too, and that is asked again a second later.
func (l *Lab) untilCarried(server netip.AddrPort) {
	l.t.Helper()
	network := "udp4"
	if server.Addr().Is6() {
		network = "udp6"
	}
	ctx, cancel := context.WithTimeout(context.Background(), busy)
	defer cancel()
	conn, err := l.Dial(ctx, network, server.String())
	if err != nil {
		l.t.Fatal(err)
	}
	defer conn.Close()
	for ctx.Err() == nil && !errors.Is(err, syscall.ECONNREFUSED) {
		_ = conn.SetDeadline(time.Now().Add(time.Second / 5))
		if _, err = conn.Write([]byte("?")); err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		l.t.Fatalf("after %v the lab carries nothing to %v: %v", busy, server, err)
	}
}

// settings makes the router forward, and all kernels answer with ICMP every time: by default they
// do so once a second for one destination, and a test that expects an error would see silence.
func (l *Lab) settings(ns string) {
	l.t.Helper()
	settings := map[string]string{
		"ipv4/icmp_ratelimit":          "0",
		"ipv6/icmp/ratelimit":          "0",
		"ipv6/conf/default/accept_dad": "0",
	}
	if ns == Router {
		settings["ipv4/ip_forward"], settings["ipv6/conf/all/forwarding"] = "1", "1"
	}
	l.Do(ns, func() {
		for name, value := range settings {
			// What stands below /proc/sys/net is that of the thread's own namespace.
			if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644); err != nil {
				l.t.Fatalf("in the %s: %v", ns, err)
			}
		}
	})
}

// batch gives several lines to one ip process: starting one for each costs more than the work does.
func (l *Lab) batch(ns string, lines ...string) {
	l.t.Helper()
	cmd := exec.Command("ip", "-netns", l.namespace(ns), "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("in the %s: %v\n%s", ns, err, out)
	}
}
