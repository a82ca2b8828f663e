package main

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/reference"
)

// freeAddress is one that nobody listens on, over TCP and UDP. On Linux all of 127.0.0.0/8 is this machine's; a port
// of 127.0.0.1 that was free a moment ago is given to whoever asks next.
func freeAddress(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "linux" {
		return fmt.Sprintf("127.%d.%d.%d:4433", 1+rand.IntN(255), rand.IntN(256), 1+rand.IntN(254))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// keyAt makes a handshake under a name and gives the key that it was shown; "" where nobody answers.
func keyAt(address string) string {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", address, &tls.Config{ServerName: "web.telegram.org", InsecureSkipVerify: true})
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }()
	return measurements.KeyOf(conn.ConnectionState().PeerCertificates[0].Raw)
}

// A helper is served with the operator's consent alone, announced with the addresses that he states and
// with the key that it shows, keeps that key over a reload, and is gone when it is switched off.
func TestHelperFollowsTheConfiguration(t *testing.T) {
	speak := &speaker{log: zerolog.Nop(), keys: openStore(t, t.TempDir())}
	defer speak.close()
	cfg := serving()
	cfg.Reference.HelperListen = freeAddress(t)
	cfg.Reference.HelperAddresses = []netip.AddrPort{netip.MustParseAddrPort("203.0.113.7:443")}
	set := func(cfg *config.Config) string {
		t.Helper()
		if err := speak.configure(cfg); err != nil {
			t.Fatal(err)
		}
		return keyAt(cfg.Reference.HelperListen)
	}
	if set(cfg) != "" || speak.announced != nil {
		t.Error("it helps without consent")
	}
	cfg.Consent = time.Now()
	key := set(cfg)
	if key == "" || set(cfg) != key {
		t.Errorf("the key %q did not outlive a reload", key)
	}
	want := reference.Helper{Addresses: []string{"203.0.113.7:443"}, Key: key}
	if got := speak.announced; got == nil || got.Key != want.Key || !slices.Equal(got.Addresses, want.Addresses) {
		t.Errorf("announces %+v, want %+v", got, want)
	}
	round := measurements.Round{Started: time.Now()}
	verdict := measurements.RoundVerdict{Network: measurements.NetworkVerdict{State: measurements.OK}}
	speak.hear(&round, &verdict)
	body, _ := speak.say()
	if answer, err := reference.Open(body, cfgKey(speak), time.Now()); err != nil || answer.Helper == nil || answer.Helper.Key != key {
		t.Errorf("the answer's helper: %+v (%v)", answer, err)
	}
	cfg.Reference.Serve = false
	if set(cfg) != "" || speak.announced != nil {
		t.Error("it helps after it was switched off")
	}
}

func cfgKey(s *speaker) []byte { return s.key[len(s.key)/2:] } // RFC 8032: the public half stands behind the seed

// A socket that is taken is an error, and nothing is announced.
func TestHelperNeedsItsSocket(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	speak := &speaker{log: zerolog.Nop(), keys: openStore(t, t.TempDir())}
	cfg := serving()
	cfg.Consent, cfg.Reference.HelperListen = time.Now(), l.Addr().String()
	if err := speak.configure(cfg); err == nil || speak.announced != nil {
		t.Errorf("announces %+v, error %v", speak.announced, err)
	}
}
