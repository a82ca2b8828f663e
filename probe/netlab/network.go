package netlab

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Network is the wire between one vantage and many servers: streams and datagrams in memory, with
// latency, loss and bandwidth, and rules that censor. It works in real time and, since it waits on
// timers and channels alone, inside a testing/synctest bubble. It starts no goroutine of its own but
// for an interception, and those end with their connection.
type Network struct {
	start time.Time
	done  chan struct{}

	mu        sync.Mutex
	rnd       *rand.Rand
	bursts    bursts
	closed    bool
	known     map[netip.Addr]bool
	listeners map[netip.AddrPort]*listener
	packets   map[netip.AddrPort]*packetConn
	clients   map[netip.AddrPort]*datagramConn
	streams   map[*conn]struct{}
	rules     []Rule // replaced as a whole, never changed in place: match reads it without the lock
	fired     map[string]int
	residual  map[place]residue
	access    Link
	line      *queue // the access line's transmitters
	mapped    int    // flows that have asked for room in the access line's translator
	paths     map[netip.Prefix]Link
	noV4      bool
	noV6      bool
	nat64     bool          // what goes to the translator's prefix goes on to IPv4
	roams     time.Duration // since start; 0 never
	port      uint16
	forger    *certifier
	heard     func(*http.Request) // of boxes that answer in a server's place; may be nil
	clock     time.Duration       // how far the world's clocks are ahead of the vantage's
}

// The vantage's own addresses. 192.0.2.0/24 and 2001:db8::/32 are for documentation (RFC 5737, RFC 3849).
var (
	vantage4 = netip.MustParseAddr("192.0.2.77")
	vantage6 = netip.MustParseAddr("2001:db8:77::1")
)

// NewNetwork makes an empty wire. seed decides all that is left to chance.
func NewNetwork(seed uint64) *Network {
	return &Network{
		start: time.Now(), done: make(chan struct{}), rnd: rand.New(rand.NewPCG(seed, 1)),
		known: map[netip.Addr]bool{}, listeners: map[netip.AddrPort]*listener{}, packets: map[netip.AddrPort]*packetConn{},
		clients: map[netip.AddrPort]*datagramConn{}, streams: map[*conn]struct{}{}, fired: map[string]int{},
		residual: map[place]residue{}, paths: map[netip.Prefix]Link{}, port: 32768,
		line: &queue{},
	}
}

// SetStart says from when on the time windows of rules, and of what else has one, count; at first it is when the
// network was made.
func (n *Network) SetStart(t time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.start = t
}

// SetRoutes says for which families the vantage has a route at all. Without one a dial fails at once.
func (n *Network) SetRoutes(v4, v6 bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.noV4, n.noV6 = !v4, !v6
}

// Routable has the form of probe.Host.Routable.
func (n *Network) Routable(to netip.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if to.Unmap().Is4() {
		return !n.noV4
	}
	return !n.noV6
}

// Censor puts rules on the wire, behind those that are there.
func (n *Network) Censor(rules ...Rule) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rules = append(slices.Clip(n.rules), named(rules, len(n.rules))...)
}

// forget makes an address one of which no port was ever open.
func (n *Network) forget(a netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.known, a)
	delete(n.paths, netip.PrefixFrom(a, a.BitLen()))
}

// Expire takes away the rules whose window is over: they can't fire again, and each packet is held against all that are
// there. What they have left behind stays.
func (n *Network) Expire() {
	n.mu.Lock()
	defer n.mu.Unlock()
	since := time.Since(n.start)
	n.rules = slices.DeleteFunc(slices.Clone(n.rules), func(r Rule) bool { return r.Until > 0 && since >= r.Until })
}

// SetRules replaces all rules, and forgets what earlier ones left behind. A flow that a rule has cut
// off or slowed down stays so: its packets have been lost.
func (n *Network) SetRules(rules ...Rule) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rules = named(rules, 0)
	clear(n.residual)
}

// Rules are those that are on the wire, in their order.
func (n *Network) Rules() []Rule {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.rules)
}

// named gives rules that have no id one by their place: what a flow remembers of a rule goes by it.
func named(rules []Rule, before int) []Rule {
	rules = slices.Clone(rules)
	for i := range rules {
		if rules[i].ID == "" {
			rules[i].ID = fmt.Sprintf("rule-%d", before+i+1)
		}
	}
	return rules
}

// Fired says how often the rule with this id has fired.
func (n *Network) Fired(id string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.fired[id]
}

// Close ends every connection and listener.
func (n *Network) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	close(n.done)
	listeners, packets := n.listeners, n.packets
	clients, streams := slices.Collect(maps.Values(n.clients)), slices.Collect(maps.Keys(n.streams))
	n.listeners, n.packets = map[netip.AddrPort]*listener{}, map[netip.AddrPort]*packetConn{}
	n.mu.Unlock()
	for _, l := range listeners {
		l.end()
	}
	for _, p := range packets {
		p.inbox.close()
	}
	for _, c := range clients {
		_ = c.Close()
	}
	for _, c := range streams {
		_ = c.Close()
	}
	return nil
}

// Dial opens a TCP connection or a connected UDP socket from the vantage. It has the form of
// probe.Host.Dial and fails as the kernel does.
func (n *Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if ctx.Err() != nil {
		return nil, dialEnded(ctx, network, to)
	}
	n.mu.Lock()
	from := n.source(to.Addr())
	noRoute := to.Addr().Is4() && n.noV4 || !to.Addr().Is4() && n.noV6 || n.closed
	if n.nat64 {
		to = translated(to)
	}
	n.mu.Unlock()
	if noRoute {
		return nil, dialError(network, to, syscall.ENETUNREACH)
	}
	if network[0] == 'u' {
		return n.dialUDP(network, from, to)
	}
	return n.dialTCP(ctx, network, from, to)
}

// dialTCP makes the three-way handshake: it asks the boxes on the path, then the server.
func (n *Network) dialTCP(ctx context.Context, network string, from, to netip.AddrPort) (net.Conn, error) {
	f := n.newFlow("tcp", to, n.path(to.Addr()))
	if !n.hasRoom(to) {
		return nil, n.silence(ctx, network, to)
	}
	verdict := f.syn()
	if verdict == nil {
		return n.dialServer(ctx, network, from, to, f)
	}
	near, errno := 2*f.upTo(verdict), syscall.ECONNREFUSED // Linux calls a SYN that is reset refused
	switch verdict.Action {
	case AcceptReset, AcceptClose:
		if err := n.reach(ctx, network, to, f, near); err != nil {
			return nil, err
		}
		return n.accepted(network, from, to, f, verdict)
	case ICMP:
		errno = f.icmp(verdict.Code)
	case Reset:
	default:
		return nil, n.silence(ctx, network, to)
	}
	if err := n.reach(ctx, network, to, f, near); err != nil {
		return nil, err
	}
	err := dialError(network, to, errno)
	if verdict.Action == ICMP {
		err = f.unreached(verdict, err, from.Addr())
	}
	return nil, err
}

// dialServer is a handshake that no box has decided about.
func (n *Network) dialServer(ctx context.Context, network string, from, to netip.AddrPort, f *flow) (net.Conn, error) {
	n.mu.Lock()
	known := n.known[to.Addr()]
	n.mu.Unlock()
	took, ok := n.handshake(f.path())
	if !known || !ok {
		return nil, n.silence(ctx, network, to)
	}
	if err := n.reach(ctx, network, to, f, took+2*f.late); err != nil {
		return nil, err
	}
	return n.connected(network, from, to, f)
}

// connected asks the server's side.
func (n *Network) connected(network string, from, to netip.AddrPort, f *flow) (net.Conn, error) {
	client := &conn{n: n, network: network, local: netAddr("tcp", from), remote: netAddr("tcp", to), client: true, flow: f, in: newHalf(), out: newHalf(), linger: -1}
	server := &conn{n: n, network: "tcp", local: client.remote, remote: client.local, flow: f, in: client.out, out: client.in, linger: -1}
	f.client, f.server = client, server
	client.in.until = n.lastsUntil(f.born)
	client.out.until = client.in.until
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.listeners[to]
	switch {
	case n.closed:
		return nil, dialError(network, to, syscall.ENETUNREACH)
	case l == nil:
		return nil, dialError(network, to, syscall.ECONNREFUSED)
	}
	select {
	case l.backlog <- server:
	default: // a full backlog swallows the last ACK; the connection then hangs as a mute server's does
	}
	n.streams[client], n.streams[server] = struct{}{}, struct{}{}
	return client, nil
}

// accepted is a connection that a box has answered in the server's name, and ends at once.
func (n *Network) accepted(network string, from, to netip.AddrPort, f *flow, verdict *Rule) (net.Conn, error) {
	client := &conn{n: n, network: network, local: netAddr("tcp", from), remote: netAddr("tcp", to), client: true, flow: f, in: newHalf(), out: newHalf(), linger: -1}
	f.kill()
	client.in.until = n.lastsUntil(f.born)
	end := error(syscall.ECONNRESET)
	if verdict.Action == AcceptClose {
		end = io.EOF
	}
	client.in.finish(end, time.Now())
	if !n.track(client) {
		return nil, dialError(network, to, syscall.ENETUNREACH)
	}
	return client, nil
}

// track remembers a connection, so that Close can end it; it is too late for one on a closed network.
func (n *Network) track(c *conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		n.streams[c] = struct{}{}
	}
	return !n.closed
}

// await lets the time of a handshake pass.
func (n *Network) await(ctx context.Context, network string, to netip.AddrPort, t time.Duration) error {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return dialEnded(ctx, network, to)
	case <-n.done:
		return dialError(network, to, syscall.ENETUNREACH)
	}
}

// silence is a dial that nobody answers: SYNs after 1, 3, 7 … 63 seconds, and Linux gives up at 127.
func (n *Network) silence(ctx context.Context, network string, to netip.AddrPort) error {
	if err := n.await(ctx, network, to, (1<<mostSYNs-1)*synTimeout); err != nil {
		return err
	}
	return dialError(network, to, syscall.ETIMEDOUT)
}

// source picks the vantage's address and the next port of the ephemeral range.
func (n *Network) source(to netip.Addr) netip.AddrPort {
	n.port++
	if n.port < 32768 {
		n.port = 32768
	}
	if to.Is4() {
		return netip.AddrPortFrom(vantage4, n.port)
	}
	return netip.AddrPortFrom(vantage6, n.port)
}

// chance draws once.
func (n *Network) chance(p float64) bool {
	if p <= 0 {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rnd.Float64() < p
}
