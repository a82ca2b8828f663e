package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// negotiate answers any long header with version negotiation.
func negotiate(versions ...uint32) func([]byte) [][]byte {
	return func(b []byte) [][]byte {
		destination, rest, ok := cid(b[5:])
		if !ok {
			return nil
		}
		source, _, ok := cid(rest)
		if !ok {
			return nil
		}
		return [][]byte{negotiationPacket(source, destination, versions...)}
	}
}

func negotiationPacket(destination, source []byte, versions ...uint32) []byte {
	b := append([]byte{0x80, 0, 0, 0, 0, byte(len(destination))}, destination...)
	b = append(append(b, byte(len(source))), source...)
	for _, v := range versions {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

func TestVersionPing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		ep       netip.AddrPort
		want     measurements.Failure
		versions string
	}{
		{"a real server", serveQUIC(t, serverConfig(good, "h3"), http.NotFoundHandler()), "", "v1,v2"},
		{"an answer", serveUDP(t, negotiate(0xfafafafa, 1)), "", "v1"},
		{"refused", closed(t, "udp"), measurements.ConnectionRefused, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := there.VersionPing(within(t, patient), c.ep)
			wantFailure(t, o, c.want)
			if o.QUIC.Version != c.versions || o.Sent%initialSize != 0 || o.Transport != "quic" {
				t.Errorf("got %+v, %d sent", o.QUIC, o.Sent)
			}
		})
	}
}

// What is no answer is silence, in which the ping is sent as often as it may be.
func TestVersionPingMeetsSilence(t *testing.T) {
	t.Parallel()
	stranger := func([]byte) [][]byte { return [][]byte{negotiationPacket([]byte("12345678"), []byte("12345678"), 1)} }
	for name, answer := range map[string]func([]byte) [][]byte{"somebody else's answer": stranger, "an empty answer": negotiate(), "silence": silent} {
		inBubble(t, func(t *testing.T) {
			o := onPipes(datagrams(answer)).VersionPing(within(t, patient), nowhere)
			t.Log(name)
			wantFailure(t, o, measurements.Timeout)
			if o.QUIC.Version != "" || o.Sent != pings*initialSize || o.QUIC.DatagramsSent != pings || time.Duration(o.Duration) != patient {
				t.Errorf("got %+v, %d sent, after %v", o.QUIC, o.Sent, time.Duration(o.Duration))
			}
		})
	}
}

// A lost datagram is no closed port.
func TestVersionPingIsRepeated(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		asked := 0
		answer := negotiate(1)
		lossy := onPipes(datagrams(func(b []byte) [][]byte {
			if asked++; asked < 3 {
				return nil
			}
			return answer(b)
		}))
		o := lossy.VersionPing(within(t, patient), nowhere)
		if wantFailure(t, o, ""); o.QUIC.DatagramsSent != 3 {
			t.Errorf("answered after %d datagrams", o.QUIC.DatagramsSent)
		}
	})
}

func TestVersionPingEnds(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(brief/3, cancel)
		o := onPipes(datagrams(silent)).VersionPing(ctx, nowhere)
		if wantFailure(t, o, measurements.Interrupted); time.Duration(o.Duration) != brief/3 {
			t.Errorf("it took %v", time.Duration(o.Duration))
		}
		flood := make([][]byte, 2*mostAnswers)
		for i := range flood {
			flood[i] = []byte("noise")
		}
		o = onPipes(datagrams(func([]byte) [][]byte { return flood })).VersionPing(within(t, patient), nowhere)
		if wantFailure(t, o, measurements.Timeout); time.Duration(o.Duration) != acrossPipe {
			t.Errorf("a flood was read for %v", time.Duration(o.Duration))
		}
	})
}

func TestPingPacket(t *testing.T) {
	t.Parallel()
	packet, destination, source := pingPacket()
	version := binary.BigEndian.Uint32(packet[1:])
	if len(packet) != initialSize || packet[0]&0xc0 != 0xc0 || version&0x0f0f0f0f != 0x0a0a0a0a || bytes.Equal(destination, source) {
		t.Errorf("got %x", packet[:32])
	}
}

func FuzzParseNegotiation(f *testing.F) {
	f.Add(negotiationPacket([]byte("12345678"), []byte("abcdefgh"), 1, 0x6b3343cf))
	f.Add(negotiationPacket(nil, nil, 1))
	f.Add([]byte{0x80, 0, 0, 0, 0, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		vn, ok := parseNegotiation(b)
		if !ok {
			return
		}
		again := negotiationPacket(vn.destination, vn.source, vn.versions...)
		if len(vn.versions) == 0 || !bytes.Equal(again[1:], b[1:]) {
			t.Errorf("%x read as %+v", b, vn)
		}
	})
}
