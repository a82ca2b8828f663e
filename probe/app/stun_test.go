package app_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/probe/app"
)

// stunServer answers on loopback, by what the test says; nil is silence.
func stunServer(t *testing.T, answer func(request []byte, nth int) [][]byte) net.Conn {
	t.Helper()
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		b := make([]byte, 1500)
		for nth := 1; ; nth++ {
			n, from, err := server.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			for _, a := range answer(b[:n], nth) {
				_, _ = server.WriteToUDPAddrPort(a, from)
			}
		}
	}()
	conn, err := net.Dial("udp4", server.LocalAddr().String()) //nolint:noctx // loopback, at once
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestSTUN(t *testing.T) {
	t.Parallel()
	honest := func(r []byte) []byte { return app.AnswerSTUN(r, netip.MustParseAddrPort("192.0.2.1:40000")) }
	refusing := func(r []byte) []byte {
		b := []byte{0x01, 0x11, 0, 8}
		b = append(b, r[4:20]...)
		return append(b, 0, 9, 0, 4, 0, 0, 4, 1)
	}
	for name, test := range map[string]struct {
		answer func([]byte, int) [][]byte
		right  func(app.STUNAnswer, error) bool
	}{
		"an answer": {func(r []byte, _ int) [][]byte { return [][]byte{honest(r)} }, func(a app.STUNAnswer, err error) bool {
			return err == nil && a.Requests == 1 && a.Sent == 20 && a.Received == 32
		}},
		"the first request is lost": {func(r []byte, nth int) [][]byte {
			if nth == 1 {
				return nil
			}
			return [][]byte{honest(r)}
		}, func(a app.STUNAnswer, err error) bool { return err == nil && a.Requests == 2 }},
		"another's answer comes first": {func(r []byte, _ int) [][]byte {
			other := bytes.Clone(honest(r))
			other[10] ^= 1
			return [][]byte{other, []byte("x"), honest(r)}
		}, func(a app.STUNAnswer, err error) bool { return err == nil && a.Requests == 1 }},
		"an error": {func(r []byte, _ int) [][]byte { return [][]byte{refusing(r)} }, func(_ app.STUNAnswer, err error) bool {
			e, ok := errors.AsType[*app.Refused](err)
			return ok && e.Code == 401
		}},
		"silence": {func([]byte, int) [][]byte { return nil }, func(a app.STUNAnswer, err error) bool {
			return errors.Is(err, context.DeadlineExceeded) && a.Requests == 2
		}},
		"a flood": {func([]byte, int) [][]byte { return [][]byte{bytes.Repeat([]byte{1}, 30), bytes.Repeat([]byte{1}, 30)} }, func(_ app.STUNAnswer, err error) bool {
			return errors.Is(err, context.DeadlineExceeded)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
			defer cancel()
			if a, err := app.STUN(ctx, stunServer(t, test.answer)); !test.right(a, err) {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}

// A closed port is told by ICMP.
func TestSTUNRefused(t *testing.T) {
	conn, err := net.Dial("udp4", "127.0.0.1:9") //nolint:noctx // loopback, at once
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := app.STUN(ctx, conn); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

// RFC 5769, section 2.2: a published answer with the address 192.0.2.1, port 32853; ours, for the same
// transaction, has the same bytes in the same attribute.
func TestInteropSTUN(t *testing.T) {
	request, err := hex.DecodeString("000100002112a442b7e7a701bc34d686fa87dfae")
	if err != nil {
		t.Fatal(err)
	}
	want, err := hex.DecodeString("002000080001a147e112a643")
	if err != nil {
		t.Fatal(err)
	}
	got := app.AnswerSTUN(request, netip.MustParseAddrPort("192.0.2.1:32853"))
	if !bytes.Equal(got[20:], want) || binary.BigEndian.Uint16(got) != 0x0101 {
		t.Errorf("%x", got)
	}
}

// packets gives what a fuzzer says, one datagram at a time, and then nothing.
type packets struct {
	net.Conn
	in [][]byte
}

func (p *packets) Read(b []byte) (int, error) {
	if len(p.in) == 0 {
		return 0, net.ErrClosed
	}
	n := copy(b, p.in[0])
	p.in = p.in[1:]
	return n, nil
}
func (p *packets) Write(b []byte) (int, error)     { return len(b), nil }
func (p *packets) SetDeadline(time.Time) error     { return nil }
func (p *packets) SetReadDeadline(time.Time) error { return nil }

// Nothing that does not know the request's transaction is an answer.
func FuzzSTUN(f *testing.F) {
	f.Add([]byte("\x01\x01\x00\x00\x21\x12\xa4\x42aaaaaaaaaaaa"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if a, err := app.STUN(t.Context(), &packets{in: [][]byte{in}}); err == nil {
			t.Errorf("%+v", a)
		}
		app.AnswerSTUN(in, netip.MustParseAddrPort("[2001:db8::1]:1"))
	})
}
