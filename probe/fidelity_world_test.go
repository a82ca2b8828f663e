package probe_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
)

// site is the name that all rows ask for.
const site = "www.example.com"

// page is longer than what a rule lets pass that cuts a stream.
var page = bytes.Repeat([]byte("telltale"), 16<<10)

// world is a server and the way to it, in memory or in the kernel. Servers and clients are the same code
// over both.
type world struct {
	t       *testing.T
	host    probe.Host
	address netip.Addr // the server's
	listen  func(netip.AddrPort) net.Listener
	packets func(netip.AddrPort) net.PacketConn

	// connected is closed when the client's connect has returned. On a path that takes no time, a server
	// that resets what it has just accepted is otherwise faster than the client's own look at its socket.
	connected chan struct{}
	took      time.Duration // by the last step
	honest    *signer
	forger    *signer
	tasks     sync.WaitGroup
}

// newWorld makes a world without servers. Certificates hold for the time that it is in there.
func newWorld(t *testing.T, address netip.Addr) *world {
	w := &world{t: t, address: address, connected: make(chan struct{}), honest: newSigner(t), forger: newSigner(t)}
	w.host.Roots = x509.NewCertPool()
	w.host.Roots.AddCert(w.honest.cert)
	t.Cleanup(w.tasks.Wait)
	return w
}

// Addresses of the server in memory: documentation's (RFC 5737, RFC 3849), as in the kernel.
var inMemory = []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8:2::1")}

// playInMemory plays a row over netlab, on a line of 60 ms there and back.
func playInMemory(t *testing.T, r *row, address netip.Addr, rules ...netlab.Rule) (o outcome, says string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := netlab.NewNetwork(1)
		n.SetAccess(netlab.Link{Latency: 30 * time.Millisecond})
		n.Censor(rules...)
		w := newWorld(t, address)
		t.Cleanup(func() { n.Close() })
		w.host.Dial = n.Dial
		w.listen, w.packets = must(t, n.Listen), must(t, n.ListenPacket)
		w.serve(address, &r.server)
		o, says = w.play(r)
		if o.failure != "" && o.failure != silence && w.took > atOnce {
			t.Errorf("over %s: %s only after %v", measurements.FamilyOf(address), o.failure, w.took)
		}
	})
	return o, says
}

// atOnce is what a failure takes at most that is no silence, on that line. Chosen by us: many round trips.
const atOnce = time.Second

// must opens what the test can't go on without.
func must[T any](t *testing.T, open func(netip.AddrPort) (T, error)) func(netip.AddrPort) T {
	return func(at netip.AddrPort) T {
		v, err := open(at)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

const (
	patience = time.Minute // of a step that is to be answered: far more than any answer takes
	hush     = time.Second // of one that is to meet silence
	pause    = time.Second // for which a connection is to live in silence; one that is to die has more time
)

// step is one step of the product's, on what the steps before it have left.
type step struct {
	op   measurements.Operation
	make func(context.Context, *client) measurements.Observation
}

// fails is the outcome that the step fails so, after all before it have succeeded.
func (s step) fails(f measurements.Failure) outcome { return outcome{s.op, f} }

// client makes the steps of a row.
type client struct {
	*world
	row    *row
	conn   *probe.Conn
	secure *tls.Conn
	quic   *probe.QUICConn
}

// play makes the steps, one after the other, until one fails.
func (w *world) play(r *row) (o outcome, says string) {
	c := &client{world: w, row: r}
	defer c.leave()
	for _, s := range r.steps {
		limit := patience
		if r.expected(w.address.Is6()) == (outcome{s.op, measurements.Timeout}) {
			limit = hush
		}
		ctx, cancel := context.WithTimeout(w.t.Context(), limit)
		seen := s.make(ctx, c)
		cancel()
		w.took = time.Duration(seen.Duration)
		if o, says = (outcome{seen.Operation, seen.Failure}), seen.Error; !seen.OK() {
			break
		}
	}
	return o, says
}

// leave closes what the steps have left open.
func (c *client) leave() {
	if c.secure != nil {
		c.secure.Close()
	}
	if c.conn != nil {
		c.conn.Close()
	}
	if c.quic != nil {
		c.quic.Close()
	}
}

// endpoint is where the row's steps go.
func (c *client) endpoint(usual uint16) netip.AddrPort {
	if c.row.port != 0 {
		usual = c.row.port
	}
	return netip.AddrPortFrom(c.address, usual)
}

// tlsInput is the handshake's, over TCP and QUIC.
func (c *client) tlsInput() probe.TLSInput {
	in := probe.TLSInput{Name: site, Shape: c.row.shape}
	if in.Shape == "" {
		in.Shape = measurements.Small
	}
	return in
}

// The steps, with what the product asks for.
var (
	connect = step{measurements.Connect, func(ctx context.Context, c *client) (o measurements.Observation) {
		c.conn, o = c.host.Connect(ctx, c.endpoint(443))
		close(c.connected)
		return o
	}}
	settle = step{measurements.Settle, func(ctx context.Context, c *client) measurements.Observation {
		if c.row.want.at == measurements.Settle {
			return probe.Settle(ctx, c.conn, patience)
		}
		return probe.Settle(ctx, c.conn, pause)
	}}
	shake = step{measurements.TLSHandshake, func(ctx context.Context, c *client) (o measurements.Observation) {
		in := c.tlsInput()
		in.ALPN = []string{"h2", "http/1.1"}
		c.secure, o = c.host.TLS(ctx, c.conn, in)
		return o
	}}
	ask = step{measurements.HTTPExchange, func(ctx context.Context, c *client) measurements.Observation {
		in := probe.HTTPInput{Host: site, MaxBody: int64(len(page))}
		if c.secure != nil {
			return probe.HTTP(ctx, c.secure, in)
		}
		return probe.HTTP(ctx, c.conn, in)
	}}
	shakeQUIC = step{measurements.QUICHandshake, func(ctx context.Context, c *client) (o measurements.Observation) {
		c.quic, o = c.host.QUIC(ctx, c.endpoint(443), c.tlsInput())
		return o
	}}
	ask3 = step{measurements.HTTPExchange, func(ctx context.Context, c *client) measurements.Observation {
		return probe.HTTP3(ctx, c.quic, probe.HTTPInput{Host: site, MaxBody: int64(len(page))})
	}}
	resolveUDP, resolveTCP = resolve("udp"), resolve("tcp")
)

// The ways that the rows go.
var (
	overTCP   = []step{connect}
	settled   = []step{connect, settle}
	overTLS   = []step{connect, shake}
	overHTTPS = []step{connect, shake, ask}
	inClear   = []step{connect, ask}
	overQUIC  = []step{shakeQUIC}
	overH3    = []step{shakeQUIC, ask3}
	lookup    = []step{resolveUDP}
	lookupTCP = []step{resolveTCP}
)

// resolve asks the server for the address of its own family.
func resolve(scheme string) step {
	return step{measurements.Resolve, func(ctx context.Context, c *client) measurements.Observation {
		family := measurements.FamilyOf(c.address)
		return c.host.Resolve(ctx, probe.Resolver{URL: scheme + "://" + c.endpoint(53).String()}, site, family)
	}}
}

// signer signs what the servers show.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newSigner(t *testing.T) *signer {
	ca := &signer{cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Fidelity Root"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	der, key := ca.sign(t, ca.cert)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	ca.cert, ca.key = cert, key
	return ca
}

// issue makes a leaf that is good until an hour from now, or until another time.
func (ca *signer) issue(t *testing.T, name string, until time.Duration) tls.Certificate {
	der, key := ca.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(until),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return tls.Certificate{Certificate: [][]byte{der, ca.cert.Raw}, PrivateKey: key}
}

// sign makes a key and a certificate for it; the first one signs itself.
func (ca *signer) sign(t *testing.T, template *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	by := ca.key
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}
