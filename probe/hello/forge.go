package hello

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
)

// mostReason bounds the text of a forged close, so that the packet fits the least datagram that every
// path for QUIC carries (RFC 9000, section 14).
const mostReason = 1000

// forgedID is the length of the connection id that a forged server takes for itself.
const forgedID = 8

var (
	errNoVersions = errors.New("hello: version negotiation needs a version")
	errClose      = errors.New("hello: a close with such a code or such a long reason does not exist")
)

// ForgeVersionNegotiation makes the datagram with which a box on the path ends a QUIC handshake as if
// the server spoke other versions: the client's ids, exchanged, and a list. A client believes it unless
// the list holds the version that it tried. clientInitial is a datagram that the client sent, of any
// version with a long header; ErrNotInitial is said of any other. RFC 8999, section 6.
func ForgeVersionNegotiation(clientInitial []byte, versions ...uint32) ([]byte, error) {
	version, dcid, scid, ok := ParseLongHeader(clientInitial)
	switch {
	case !ok || version == 0: // nobody answers version negotiation with its like
		return nil, ErrNotInitial
	case len(versions) == 0:
		return nil, errNoVersions
	}
	// The bits behind the first are arbitrary; the second is set as version 1 wants it fixed, since
	// servers that share their port do so (RFC 9000, section 17.2.1).
	out := longHeader(0xc0, 0, scid, dcid)
	for _, v := range versions {
		out = binary.BigEndian.AppendUint32(out, v)
	}
	return out, nil
}

// ForgeClose makes the datagram with which a box on the path ends a QUIC handshake in the server's name:
// an Initial with a CONNECTION_CLOSE of the transport's kind (0x1c), sealed with the server's keys. code
// is 0x100 + the number of a TLS alert, or a transport error (RFC 9000, section 20.1).
//
// clientInitial is the client's first Initial: only its Destination Connection ID gives the keys.
// ErrNotInitial is said where it is none of version 1 or 2. RFC 9000, section 19.19; RFC 9001, section 5.2.
func ForgeClose(clientInitial []byte, code uint64, reason string) ([]byte, error) {
	p, _, ok := nextPacket(clientInitial)
	switch {
	case !ok || !p.initial:
		return nil, ErrNotInitial
	case len(reason) > mostReason || code >= 1<<62:
		return nil, errClose
	}
	k, err := initialKeys(p.version, p.dcid, server)
	if err != nil {
		return nil, err
	}
	payload := appendVarint([]byte{frameClose}, code)
	payload = appendVarint(payload, 0) // no frame is to blame
	payload = appendVarint(payload, uint64(len(reason)))
	payload = append(payload, reason...)

	id := make([]byte, forgedID)
	_, _ = rand.Read(id)                           // never fails
	first := 0xc3 | dialects[p.version].initial<<4 // 3: the packet number has four bytes
	header := longHeader(first, p.version, p.scid, id)
	header = append(header, 0) // no token
	header = appendVarint(header, uint64(4+len(payload)+k.aead.Overhead()))
	header = append(header, 0, 0, 0, 0) // packet number 0
	return k.seal(header, payload, 0), nil
}

// longHeader is the part that all versions have in common (RFC 8999, section 5.1).
func longHeader(first byte, version uint32, dcid, scid []byte) []byte {
	out := binary.BigEndian.AppendUint32([]byte{first}, version)
	out = append(append(out, byte(len(dcid))), dcid...)
	return append(append(out, byte(len(scid))), scid...)
}

// appendVarint writes QUIC's number in the shortest form (RFC 9000, section 16). v is below 2⁶².
func appendVarint(b []byte, v uint64) []byte {
	switch {
	case v < 1<<6:
		return append(b, byte(v))
	case v < 1<<14:
		return binary.BigEndian.AppendUint16(b, uint16(v)|1<<14)
	case v < 1<<30:
		return binary.BigEndian.AppendUint32(b, uint32(v)|2<<30)
	}
	return binary.BigEndian.AppendUint64(b, v|3<<62)
}
