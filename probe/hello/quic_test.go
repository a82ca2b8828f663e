package hello

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

const scrambling = "QUIC_GO_DISABLE_CLIENTHELLO_SCRAMBLING"

// TestMain keeps quic-go from printing about buffer sizes.
func TestMain(m *testing.M) {
	_ = os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
	os.Exit(m.Run())
}

// dial has a real client dial a socket whose answers answer makes, datagram by datagram, until the
// client gives up or answer gives false; it returns the client's error.
func dial(t *testing.T, config *tls.Config, version quic.Version, answer func(datagram []byte) (reply []byte, more bool)) error {
	t.Helper()
	far, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		b := make([]byte, 1<<16)
		for {
			n, from, err := far.ReadFrom(b)
			if err != nil {
				return
			}
			reply, more := answer(b[:n])
			if reply != nil {
				_, _ = far.WriteTo(reply, from)
			}
			if !more {
				return
			}
		}
	}()
	_, err = quic.DialAddr(ctx, far.LocalAddr().String(), config, &quic.Config{Versions: []quic.Version{version}})
	_ = far.Close()
	<-done
	return err
}

// A real client's hello is read in all four shapes that a prober can give it, and in both versions:
// small or large, in order or scrambled. A second datagram is needed exactly for the large one.
func TestInitialReaderOfQUICGo(t *testing.T) {
	for _, c := range []struct {
		name      string
		curves    []tls.CurveID
		disabled  string
		version   quic.Version
		datagrams int
	}{
		{"small, in order", []tls.CurveID{tls.X25519}, "true", quic.Version1, 1},
		{"small, scrambled", []tls.CurveID{tls.X25519}, "false", quic.Version1, 1},
		{"default, in order", nil, "true", quic.Version1, 2},
		{"default, scrambled", nil, "false", quic.Version1, 2},
		{"small, version 2", []tls.CurveID{tls.X25519}, "true", quic.Version2, 1},
		{"default, scrambled, version 2", nil, "false", quic.Version2, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(scrambling, c.disabled)
			var r InitialReader
			var hello []byte
			datagrams := 0
			config := &tls.Config{ServerName: "blocked.example.com", NextProtos: []string{"h3"}, CurvePreferences: c.curves}
			_ = dial(t, config, c.version, func(datagram []byte) ([]byte, bool) {
				datagrams++
				h, done, err := r.Add(datagram)
				if err != nil {
					t.Error(err)
				}
				hello = h
				return nil, !done && err == nil
			})
			h, err := Parse(hello)
			if err != nil || h.ServerName != "blocked.example.com" || datagrams != c.datagrams {
				t.Fatalf("%+v, %v, after %d datagrams", h, err, datagrams)
			}
			if ja4, err := JA4(hello, true); err != nil || !strings.HasPrefix(ja4, "q13d") || ja4[8:10] != "h3" {
				t.Errorf("JA4 %s, %v", ja4, err)
			}
		})
	}
}

// A real client believes a forged version negotiation.
func TestForgeVersionNegotiation(t *testing.T) {
	config := &tls.Config{ServerName: "www.example.com", NextProtos: []string{"h3"}}
	err := dial(t, config, quic.Version1, func(datagram []byte) ([]byte, bool) {
		reply, err := ForgeVersionNegotiation(datagram, 0x1a2a3a4a, 0xff00001d)
		if err != nil {
			t.Error(err)
		}
		return reply, true
	})
	e, ok := errors.AsType[*quic.VersionNegotiationError](err)
	if !ok || len(e.Theirs) != 2 || e.Theirs[1] != 0xff00001d {
		t.Errorf("got %v", err)
	}
	for _, b := range [][]byte{nil, {0x40}, longHeader(0xc0, 0, nil, nil)} {
		if _, err := ForgeVersionNegotiation(b, 1); !errors.Is(err, ErrNotInitial) {
			t.Errorf("%x: %v", b, err)
		}
	}
	if _, err := ForgeVersionNegotiation(longHeader(0xc0, 1, nil, nil)); err == nil {
		t.Error("an empty list is no version negotiation")
	}
}

// A real client believes a forged close, in both versions: an alert, and a code of QUIC's own.
func TestForgeClose(t *testing.T) {
	for _, version := range []quic.Version{quic.Version1, quic.Version2} {
		for _, code := range []uint64{0x100 + 40, 2, 0xabcd} {
			config := &tls.Config{ServerName: "www.example.com", NextProtos: []string{"h3"}}
			first := true
			err := dial(t, config, version, func(datagram []byte) ([]byte, bool) {
				if !first {
					return nil, true // only the first datagram has the id that gives the keys
				}
				first = false
				reply, err := ForgeClose(datagram, code, "not here")
				if err != nil {
					t.Error(err)
				}
				return reply, true
			})
			e, ok := errors.AsType[*quic.TransportError](err)
			if !ok || !e.Remote || uint64(e.ErrorCode) != code || e.ErrorMessage != "not here" {
				t.Errorf("%v, code %#x: got %v", version, code, err)
			}
		}
	}
}

func TestForgeCloseOfOthers(t *testing.T) {
	t.Parallel()
	for _, b := range [][]byte{nil, {0x40, 1}, longHeader(0xc0, 1, nil, nil), longHeader(0xc0, 0xff00001d, nil, nil)} {
		if _, err := ForgeClose(b, 0, ""); !errors.Is(err, ErrNotInitial) {
			t.Errorf("%x: %v", b, err)
		}
	}
	datagram := vector(t, "rfc9001-a2.hex")
	if _, err := ForgeClose(datagram, 0, strings.Repeat("x", mostReason+1)); err == nil {
		t.Error("a reason that fits no datagram")
	}
	if _, err := ForgeClose(datagram, 1<<62, ""); err == nil {
		t.Error("a code that no varint holds")
	}
	if reply, err := ForgeClose(datagram, 0, strings.Repeat("x", mostReason)); err != nil || len(reply) > 1200 {
		t.Errorf("%d bytes, %v", len(reply), err)
	}
}
