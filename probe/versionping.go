package probe

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/deadline"
)

const (
	// pings are sent in all: one, and three more, spread over the step's time. A lost datagram then
	// does not look like a closed port. Chosen by us.
	pings = 4
	// pingPatience bounds the step where the context has no deadline.
	pingPatience = 3 * time.Second
	// mostAnswers are looked at: a flood of other datagrams must not keep us busy. Chosen by us.
	mostAnswers = 64
	// toldVersions are named in the record; servers offer a handful, and one of them is reserved.
	toldVersions = 8
	// cidLength is that of our connection ids; a client's first has 8 bytes at least (RFC 9000,
	// section 7.2).
	cidLength = 8
)

// VersionPing measures whether any QUIC server answers at an address: it sends a packet of a version
// that no server can speak, and waits for version negotiation that repeats our connection ids. Neither
// a name nor a key exchange is in it, so that a filter for names or for version 1 lets it pass.
//
// It fails by silence (timeout) or by ICMP (refused, unreachable); datagrams that are no answer are
// counted in Received, and are none. It keeps no socket. RFC 9000, sections 6.3 and 15; RFC 8999.
func (h Host) VersionPing(ctx context.Context, ep netip.AddrPort) measurements.Observation {
	s := begin(measurements.QUICVersion, "quic", ep, "")
	socket, err := h.open(ctx, "udp", ep)
	var versions []uint32
	if err == nil {
		err = survived(func() (err error) { versions, err = ping(ctx, socket); return err })
		_ = socket.Close()
	}
	o := s.end(socket, ended(ctx, err))
	o.QUIC = s.quicInfo(socket)
	o.QUIC.Version = versionNames(versions)
	return o
}

// ping sends until an answer comes.
func ping(ctx context.Context, socket *Conn) ([]uint32, error) {
	bounded, cancel := context.WithTimeout(ctx, pingPatience)
	if _, ok := ctx.Deadline(); ok {
		bounded = ctx
	}
	defer cancel()
	defer deadline.Obey(bounded, socket)()
	last, _ := bounded.Deadline()
	pause := time.Until(last) / pings

	packet, destination, source := pingPacket()
	buffer, answers := make([]byte, 1<<16), 0
	for sent, next := 0, time.Now(); ; {
		if sent < pings && !time.Now().Before(next) {
			if _, err := socket.Write(packet); err != nil {
				return nil, err
			}
			if sent, next = sent+1, next.Add(pause); sent == pings {
				next = time.Time{} // nothing more to send: the context alone ends the wait
			}
		}
		_ = socket.SetReadDeadline(next)
		if err := bounded.Err(); err != nil { // asked after setting: ctx sets the deadline, too
			return nil, err
		}
		n, err := socket.Read(buffer)
		if vn, ok := parseNegotiation(buffer[:n]); ok && bytes.Equal(vn.destination, source) && bytes.Equal(vn.source, destination) {
			return vn.versions, nil
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, err
		}
		if n == 0 {
			continue
		}
		if answers++; answers > mostAnswers {
			return nil, errNoise
		}
	}
}

// errNoise is a peer that sends and sends, and never answers.
var errNoise = &net.OpError{Op: "read", Net: "udp", Err: os.ErrDeadlineExceeded}

// pingPacket is a long header packet (RFC 8999, section 5.1) of a reserved version, 0x?a?a?a?a (RFC
// 9000, section 15), padded to the least size that servers must answer (section 14.1).
func pingPacket() (packet, destination, source []byte) {
	packet = make([]byte, initialSize)
	_, _ = rand.Read(packet) // never fails; what follows the header is as random as an encrypted packet
	packet[0] |= 0xc0        // long header; and the bit that is fixed in version 1, for middleboxes
	version := binary.BigEndian.Uint32(packet[1:])&0xf0f0f0f0 | 0x0a0a0a0a
	binary.BigEndian.PutUint32(packet[1:], version)
	packet[5] = cidLength
	destination = packet[6 : 6+cidLength]
	packet[6+cidLength] = cidLength
	source = packet[7+cidLength : 7+2*cidLength]
	return packet, destination, source
}

// negotiation is a version negotiation packet.
type negotiation struct {
	destination, source []byte
	versions            []uint32
}

// parseNegotiation reads a datagram that is a version negotiation packet (RFC 8999, section 6): a
// long header with version 0, two connection ids, and versions up to the end, one at least.
func parseNegotiation(b []byte) (negotiation, bool) {
	if len(b) < 5 || b[0]&0x80 == 0 || binary.BigEndian.Uint32(b[1:]) != 0 {
		return negotiation{}, false
	}
	destination, rest, ok := cid(b[5:])
	if !ok {
		return negotiation{}, false
	}
	source, rest, ok := cid(rest)
	if !ok || len(rest) == 0 || len(rest)%4 != 0 {
		return negotiation{}, false
	}
	vn := negotiation{destination: destination, source: source}
	for ; len(rest) > 0; rest = rest[4:] {
		vn.versions = append(vn.versions, binary.BigEndian.Uint32(rest))
	}
	return vn, true
}

// cid reads a connection id behind its length.
func cid(b []byte) (id, rest []byte, ok bool) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return nil, nil, false
	}
	return b[1 : 1+int(b[0])], b[1+int(b[0]):], true
}

// versionNames lists what a server offers, as "v1,v2"; reserved versions, which are there to be
// ignored, are left out.
func versionNames(versions []uint32) string {
	var names []string
	for _, v := range versions {
		if v&0x0f0f0f0f != 0x0a0a0a0a && len(names) < toldVersions {
			names = append(names, quic.Version(v).String())
		}
	}
	return strings.Join(names, ",")
}
