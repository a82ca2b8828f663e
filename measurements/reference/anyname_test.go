package reference

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/telltale-probe/telltale/measurements"
)

func TestMain(m *testing.M) {
	_ = os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
	os.Exit(m.Run())
}

// served serves on loopback until the test ends, and checks that it ends without an error.
func served(t *testing.T) (a *AnyName, tcp, udp string) {
	t.Helper()
	a, err := NewAnyName()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.ServeTLS(ctx, l); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		if err := a.ServeQUIC(ctx, socket); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return a, l.Addr().String(), socket.LocalAddr().String()
}

// Whatever the name, the handshake completes under the announced key.
func TestAnyNameIsAnswered(t *testing.T) {
	a, tcp, udp := served(t)
	for _, name := range []string{"web.telegram.org", "xkcd.example.com", ""} {
		config := &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}
		conn, err := tls.Dial("tcp", tcp, config)
		if err != nil {
			t.Fatalf("TLS as %q: %v", name, err)
		}
		if got := measurements.KeyOf(conn.ConnectionState().PeerCertificates[0].Raw); got != a.Key() {
			t.Errorf("TLS as %q: key %s, want %s", name, got, a.Key())
		}
		_ = conn.Close()
		config = config.Clone()
		config.NextProtos = []string{"h3"}
		q, err := quic.DialAddr(t.Context(), udp, config, &quic.Config{HandshakeIdleTimeout: time.Minute})
		if err != nil {
			t.Fatalf("QUIC as %q: %v", name, err)
		}
		if got := measurements.KeyOf(q.ConnectionState().TLS.PeerCertificates[0].Raw); got != a.Key() {
			t.Errorf("QUIC as %q: key %s, want %s", name, got, a.Key())
		}
		_ = q.CloseWithError(goodbye, "")
	}
}

// A client with too many connections is hung up on before a byte of his is read: an end where he has said
// nothing can't be taken for a hello that was swallowed.
func TestTooManyAreClosedAtOnce(t *testing.T) {
	_, tcp, _ := served(t)
	for i := range mostOfClient + 1 {
		conn, err := net.Dial("tcp", tcp)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		patience := 100 * time.Millisecond // for what must not come
		if i == mostOfClient {
			patience = time.Minute
		}
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		_, err = conn.Read(make([]byte, 1))
		if closed := errors.Is(err, io.EOF); closed != (i == mostOfClient) {
			t.Errorf("connection %d: %v", i+1, err)
		}
	}
}

// Before a QUIC client has shown that its address is its own, it gets at most three times what it sent
// (RFC 9000, section 8): here a Retry, which is smaller than the datagram that it answers.
func TestUnvalidatedAddressesGetLittle(t *testing.T) {
	_, _, udp := served(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var hello []byte
	fake, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = fake.Close() }()
	go func() { // takes a client's first datagram off it
		b := make([]byte, 2048)
		n, _, _ := fake.ReadFrom(b)
		hello = b[:n]
		cancel()
	}()
	_, _ = quic.DialAddr(ctx, fake.LocalAddr().String(), &tls.Config{ServerName: "web.telegram.org", InsecureSkipVerify: true, NextProtos: []string{"h3"}}, nil)
	conn, err := net.Dial("udp", udp)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	<-ctx.Done()
	if _, err := conn.Write(hello); err != nil {
		t.Fatal(err)
	}
	got, b := 0, make([]byte, 4096)
	for patience := time.Minute; ; patience = time.Second { // what comes after the first answer comes at once
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		n, err := conn.Read(b)
		if err != nil {
			break
		}
		got += n
	}
	if got == 0 || got > len(hello) {
		t.Errorf("%d bytes for %d", got, len(hello))
	}
}

// A client counts by the minute, a household by its /64, and all of them together are few.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := func(a string) net.Addr { return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(a), 1)) }
		var l limits
		for i := range mostAMinute + 1 {
			leave, ok := l.enter(at("2001:db8::1"))
			if ok != (i < mostAMinute) {
				t.Errorf("handshake %d of a minute: %v", i+1, ok)
			}
			if ok {
				leave()
				leave() // counts once
			}
		}
		if _, ok := l.enter(at("2001:db8::2")); ok {
			t.Error("another address of the same /64 begins anew")
		}
		time.Sleep(time.Minute)
		if _, ok := l.enter(at("2001:db8::2")); !ok {
			t.Error("a minute later there is no place")
		}
		for i := range mostOpen {
			if _, ok := l.enter(at(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}).String())); ok != (i < mostOpen-1) {
				t.Errorf("%d at the same time: %v", i+2, ok)
			}
		}
		l.open = 0
		for i := range 2 * mostClients {
			if leave, ok := l.enter(at(netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}).String())); ok {
				leave()
			}
		}
		if len(l.clients) > mostClients {
			t.Errorf("%d clients are remembered", len(l.clients))
		}
		time.Sleep(time.Minute)
		if leave, ok := l.enter(at("192.0.2.1")); !ok {
			t.Error("those who have gone are not forgotten")
		} else {
			leave()
		}
	})
}

func TestHelperIsChecked(t *testing.T) {
	key := strings.Repeat("A", 43) + "="
	for _, c := range []struct {
		name string
		h    *Helper
		want bool
	}{
		{"none", nil, true},
		{"both families", &Helper{[]string{"203.0.113.7:443", "[2001:db8::7]:443"}, key}, true},
		{"no address", &Helper{nil, key}, false},
		{"five addresses", &Helper{[]string{"203.0.113.1:1", "203.0.113.2:1", "203.0.113.3:1", "203.0.113.4:1", "203.0.113.5:1"}, key}, false},
		{"no port", &Helper{[]string{"203.0.113.7:0"}, key}, false},
		{"a name", &Helper{[]string{"helper.example.org:443"}, key}, false},
		{"loopback", &Helper{[]string{"127.0.0.1:443"}, key}, false},
		{"private", &Helper{[]string{"192.168.1.1:443"}, key}, false},
		{"private, written as IPv6", &Helper{[]string{"[::ffff:10.0.0.1]:443"}, key}, false},
		{"shared", &Helper{[]string{"100.64.0.1:443"}, key}, false},
		{"multicast", &Helper{[]string{"224.0.0.1:443"}, key}, false},
		{"broadcast", &Helper{[]string{"255.255.255.255:443"}, key}, false},
		{"link-local", &Helper{[]string{"[fe80::1%eth0]:443"}, key}, false},
		{"no key", &Helper{[]string{"203.0.113.7:443"}, ""}, false},
		{"a short key", &Helper{[]string{"203.0.113.7:443"}, "AAAA"}, false},
	} {
		a := sample()
		a.Helper = c.h
		if _, err := Sign(a, secret); (err == nil) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
