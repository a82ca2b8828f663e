package app

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Messages of RFC 5769, sections 2.1 to 2.3: one request, and its answers in IPv4 and IPv6.
const (
	rfc5769Request = "000100582112a442b7e7a701bc34d686fa87dfae" +
		"802200105354554e207465737420636c69656e74" + "002400046e0001ff" + "80290008932ff9b151263b36" +
		"000600096576746a3a68367659202020" + "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2" + "80280004e57a3bcf"
	rfc5769IPv4 = "0101003c2112a442b7e7a701bc34d686fa87dfae" +
		"8022000b7465737420766563746f7220" + "002000080001a147e112a643" +
		"000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7" + "80280004c07d4c96"
	rfc5769IPv6 = "010100482112a442b7e7a701bc34d686fa87dfae" +
		"8022000b7465737420766563746f7220" + "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9" +
		"00080014a382954e4be67bf11784c97c8292c275bfe3ed41" + "80280004c8fb0b4c"
)

// The messages above are those of the RFC: their fingerprints say so (RFC 8489, section 14.7).
func TestRFC5769(t *testing.T) {
	for _, message := range []string{rfc5769Request, rfc5769IPv4, rfc5769IPv6} {
		b := unhex(t, message)
		end := len(b) - 8
		if got, want := crc32.ChecksumIEEE(b[:end])^0x5354554e, binary.BigEndian.Uint32(b[end+4:]); got != want {
			t.Errorf("%s: fingerprint %x, want %x", message, got, want)
		}
	}
}

// We take the answers of the RFC for answers, and our server tells the addresses that they tell.
func TestSTUNVectors(t *testing.T) {
	request := unhex(t, rfc5769Request)
	for _, c := range []struct{ message, from string }{
		{rfc5769IPv4, "192.0.2.1:32853"},
		{rfc5769IPv4, "[::ffff:192.0.2.1]:32853"},
		{rfc5769IPv6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"},
	} {
		message := unhex(t, c.message)
		from := netip.MustParseAddrPort(c.from).Addr().Unmap()
		if mapped, reason, err := stunID(request[8:20]).answeredBy(message); mapped != from || reason != "" || err != nil {
			t.Errorf("%s: %v, %q, %v", c.from, mapped, reason, err)
		}
		answer := ServeSTUN(request, netip.MustParseAddrPort(c.from))
		if mapped, reason, err := stunID(request[8:20]).answeredBy(answer); mapped != from || reason != "" || err != nil {
			t.Errorf("%s: our own: %v, %q, %v", c.from, mapped, reason, err)
		}
		i := bytes.Index(message, []byte{0, stunXORMappedAddress, 0})
		if want := message[i : i+4+int(message[i+3])]; !bytes.Equal(answer[stunHeader:], want) {
			t.Errorf("%s: told %x, want %x", c.from, answer[stunHeader:], want)
		}
	}
}

// What is no answer to a request is none, and what is no request is not answered.
func TestSTUNStrangers(t *testing.T) {
	var id stunID
	copy(id[:], "transaction!")
	address := "\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43"
	message := func(kind uint16, attributes string) []byte {
		return appendSTUN(nil, kind, id, []byte(attributes))
	}
	changed := func(i int) []byte {
		b := message(stunBindingSuccess, address)
		b[i] ^= 1
		return b
	}
	for _, c := range []struct {
		name   string
		packet []byte
		reason string
		code   int32
	}{
		{"a success", message(stunBindingSuccess, address), "", 0},
		{"of an older server", message(stunBindingSuccess, "\x00\x01\x00\x08\x00\x01\x80\x55\xc0\x00\x02\x01"), "", 0},
		{"an attribute more, padded", message(stunBindingSuccess, "\x80\x22\x00\x01x\x00\x00\x00"+address), "", 0},
		{"an error", message(stunBindingError, "\x00\x09\x00\x04\x00\x00\x04\x14"), "", 420},
		{"an error with a phrase", message(stunBindingError, "\x00\x09\x00\x07\x00\x00\x03\x00Try\x00"), "", 300},
		{"two errors", message(stunBindingError, "\x00\x09\x00\x04\x00\x00\x04\x14\x00\x09\x00\x04\x00\x00\x05\x00"), "", 420},

		{"nothing", nil, "no STUN message", 0},
		{"a header cut short", message(stunBindingSuccess, "")[:19], "no STUN message", 0},
		{"another cookie", changed(7), "no STUN message", 0},
		{"another length", changed(3), "no STUN message", 0},
		{"a byte more", append(message(stunBindingSuccess, address), 0), "no STUN message", 0},
		{"another transaction", changed(19), "a STUN message of another transaction", 0},
		{"our own request", message(stunBindingRequest, address), "a STUN message that is no binding response", 0},
		{"an answer to another method", message(0x0103, address), "a STUN message that is no binding response", 0},
		{"no address", message(stunBindingSuccess, ""), "a STUN success without an address", 0},
		{"an address of no family", message(stunBindingSuccess, "\x00\x20\x00\x08\x00\x03\xa1\x47\xe1\x12\xa6\x43"), "a STUN success without an address", 0},
		{"half an address", message(stunBindingSuccess, "\x00\x20\x00\x04\x00\x01\xa1\x47"), "a STUN success without an address", 0},
		{"attributes cut short", message(stunBindingSuccess, address+"\x80\x22\xff\xff"), "a STUN message whose attributes are cut short", 0},
		{"no code", message(stunBindingError, ""), "a STUN error without a code", 0},
		{"half a code", message(stunBindingError, "\x00\x09\x00\x02\x00\x00\x00\x00"), "a STUN error without a code", 0},
		{"a code too low", message(stunBindingError, "\x00\x09\x00\x04\x00\x00\x02\x00"), "a STUN error without a code", 0},
		{"a code too high", message(stunBindingError, "\x00\x09\x00\x04\x00\x00\x07\x00"), "a STUN error without a code", 0},
		{"a code of three digits", message(stunBindingError, "\x00\x09\x00\x04\x00\x00\x04\x64"), "a STUN error without a code", 0},
	} {
		_, reason, err := id.answeredBy(c.packet)
		var code int32
		if refused, ok := errors.AsType[*Refused](err); ok {
			code = refused.Code
		}
		if reason != c.reason || code != c.code || (err != nil) != (code != 0) {
			t.Errorf("%s: got %q, %v, want %q, %d", c.name, reason, err, c.reason, c.code)
		}
		if c.name != "our own request" && ServeSTUN(c.packet, netip.MustParseAddrPort("192.0.2.1:1")) != nil {
			t.Errorf("%s: answered", c.name)
		}
	}
}

// asking measures a peer that is handed each request and the time since the first, and gives what it
// sends back.
func asking(t *testing.T, limit time.Duration, peer func(request []byte, since time.Duration) [][]byte) (STUNAnswer, error) {
	t.Helper()
	ours, theirs := net.Pipe()
	start, ended := time.Now(), make(chan struct{})
	go func() {
		defer close(ended)
		b := make([]byte, 1500)
		for {
			n, err := theirs.Read(b)
			if err != nil {
				return
			}
			for _, answer := range peer(slices.Clone(b[:n]), time.Since(start)) {
				_, _ = theirs.Write(answer)
			}
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	answer, err := STUN(ctx, ours)
	ours.Close()
	<-ended
	return answer, err
}

// answered is what a server of ours answers, to whoever asks from one address.
func answered(request []byte) [][]byte {
	return [][]byte{ServeSTUN(request, netip.MustParseAddrPort("192.0.2.1:32853"))}
}

// An answer to the only request is timed.
func TestSTUN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := asking(t, time.Minute, func(request []byte, _ time.Duration) [][]byte {
			time.Sleep(70 * time.Millisecond)
			return answered(request)
		})
		if want := (STUNAnswer{Mapped: netip.MustParseAddr("192.0.2.1"), RTT: 70 * time.Millisecond, Requests: 1, Sent: 20, Received: 32}); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	})
}

// Requests are repeated when the RFC says, are all the same, and nothing is timed by them.
func TestSTUNRetransmits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		var first []byte
		got, err := asking(t, time.Hour, func(request []byte, since time.Duration) [][]byte {
			if at = append(at, since); first == nil {
				first = request
			}
			if !bytes.Equal(request, first) {
				t.Errorf("request %d is %x, the first was %x", len(at), request, first)
			}
			if len(at) < 7 {
				return nil
			}
			return answered(request)
		})
		if want := (STUNAnswer{Mapped: netip.MustParseAddr("192.0.2.1"), Requests: 7, Sent: 140, Received: 32}); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
		ms := time.Millisecond
		if want := []time.Duration{0, 500 * ms, 1500 * ms, 3500 * ms, 7500 * ms, 15500 * ms, 31500 * ms}; !slices.Equal(at, want) {
			t.Errorf("sent at %v, want %v", at, want)
		}
	})
}

// Silence is a timeout: when the context ends, or when the RFC gives up.
func TestSTUNSilence(t *testing.T) {
	for _, c := range []struct {
		limit, want time.Duration
		requests    int
	}{
		{100 * time.Millisecond, 100 * time.Millisecond, 1},
		{5 * time.Second, 5 * time.Second, 4},
		{time.Hour, 39500 * time.Millisecond, 7},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			got, err := asking(t, c.limit, func([]byte, time.Duration) [][]byte { return nil })
			if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != c.want || got != (STUNAnswer{Requests: c.requests, Sent: 20 * c.requests}) {
				t.Errorf("got %+v, %v after %v, want %+v", got, err, time.Since(start), c)
			}
		})
	}
}

// A stranger's datagram does not hide the answer that comes after it; alone it is told, without what
// could be an address in it.
func TestSTUNJunk(t *testing.T) {
	junk := []byte("<html>blocked: 192.0.2.1, that is you")
	for _, c := range []struct {
		name  string
		peer  func(request []byte) [][]byte
		after time.Duration
		want  string
	}{
		{"before the answer", func(r []byte) [][]byte { return append([][]byte{junk}, answered(r)...) }, 0, ""},
		{"a refusal", func(r []byte) [][]byte {
			return [][]byte{appendSTUN(nil, stunBindingError, stunID(r[8:20]), []byte("\x00\x09\x00\x04\x00\x00\x05\x00"))}
		}, 0, "refused by the app's transport: code 500"},
		{"alone", func([]byte) [][]byte { return [][]byte{junk} }, 2 * time.Second, "not the app's protocol: no STUN message"},
		{"the echo of the request", func(r []byte) [][]byte { return [][]byte{r} }, 2 * time.Second, "not the app's protocol: a STUN message that is no binding response"},
		{"a flood", func([]byte) [][]byte { return slices.Repeat([][]byte{junk}, 2*mostOfStrangers) }, 0, "not the app's protocol: no STUN message"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				got, err := asking(t, 2*time.Second, func(request []byte, _ time.Duration) [][]byte { return c.peer(request) })
				if said(err) != c.want || time.Since(start) != c.after || got.Received > mostOfStrangers*len(junk) {
					t.Errorf("got %+v, %q after %v, want %q after %v", got, said(err), time.Since(start), c.want, c.after)
				}
				if e, ok := errors.AsType[*NotSpoken](err); ok && (len(e.FirstBytes) == 0 || len(e.FirstBytes) > stunHeader) {
					t.Errorf("kept %q", e.FirstBytes)
				}
			})
		})
	}
}

// Over real sockets of loopback a server answers, and a port where nobody listens is an error at once.
func TestSTUNOverLoopback(t *testing.T) {
	server, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := server.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			_, _ = server.WriteToUDPAddrPort(ServeSTUN(b[:n], from), from)
		}
	}()
	conn, err := net.Dial("udp4", server.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := STUN(soon(t), conn); err != nil || got.Received != 32 || got.Requests == 1 && got.RTT <= 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	defer server.Close()
	if runtime.GOOS != "linux" {
		return // others have other errors for it
	}
	nobody, err := net.Dial("udp4", conn.LocalAddr().String()) // that port hears the server alone, and nobody else gets it meanwhile
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	if got, err := STUN(soon(t), nobody); !errors.Is(err, syscall.ECONNREFUSED) || got.RTT != 0 {
		t.Errorf("with nobody there: got %+v, %v", got, err)
	}
}

// FuzzSTUN reads datagrams of a hostile server, and of a hostile client.
func FuzzSTUN(f *testing.F) {
	for _, seed := range []string{rfc5769Request, rfc5769IPv4, rfc5769IPv6} {
		f.Add(unhex(f, seed))
	}
	f.Add(appendSTUN(nil, stunBindingError, stunID{}, []byte("\x00\x09\x00\x04\x00\x00\x04\x14")))
	f.Fuzz(func(t *testing.T, b []byte) {
		var id stunID
		if len(b) >= stunHeader {
			id = stunID(b[8:stunHeader])
		}
		_, reason, err := id.answeredBy(b)
		if refused, ok := errors.AsType[*Refused](err); err != nil && (!ok || refused.Code < 300 || refused.Code > 699 || reason != "") {
			t.Errorf("got %q, %v", reason, err)
		}
		id[0] ^= 1
		if _, reason, _ := id.answeredBy(b); reason == "" {
			t.Error("answered by a message of another transaction")
		}
		if answer := ServeSTUN(b, netip.MustParseAddrPort("192.0.2.1:1")); answer != nil {
			if _, reason, err := stunID(b[8:stunHeader]).answeredBy(answer); reason != "" || err != nil {
				t.Errorf("our own answer is none: %q, %v", reason, err)
			}
		}
	})
}
