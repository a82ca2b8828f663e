package hello

import (
	"errors"
	"slices"
)

// MaxMessage bounds a ClientHello, in bytes with its header of four. crypto/tls takes no larger
// handshake message either; real ones have 200 to 2,000 bytes.
const MaxMessage = 64 << 10

// The extensions that are looked into (IANA, TLS ExtensionType Values).
const (
	extServerName          = 0x0000 // RFC 6066, section 3
	extGroups              = 0x000a // RFC 8422, section 5.1.1; RFC 8446, section 4.2.7
	extSignatureAlgorithms = 0x000d // RFC 8446, section 4.2.3
	extALPN                = 0x0010 // RFC 7301, section 3.1
	extSupportedVersions   = 0x002b // RFC 8446, section 4.2.1
	extECH                 = 0xfe0d // RFC 9849, section 5
)

// ClientHello is what a client's first message shows in clear. Lists are in the order of sending, and
// hold GREASE values too (see IsGREASE). RFC 8446, section 4.1.2.
type ClientHello struct {
	// LegacyVersion is the version field, 0x0303 in all but old clients.
	LegacyVersion uint16
	// ServerName is the SNI's host name as sent; empty where there is none.
	ServerName string
	// ALPN are the protocols offered.
	ALPN                []string
	Ciphers             []uint16
	Extensions          []uint16 // the types, also of those that are not looked into
	SignatureAlgorithms []uint16
	SupportedVersions   []uint16
	Groups              []uint16
	// HasECH says that an encrypted_client_hello extension is there, real or GREASE: nobody but the
	// server can tell them apart. ServerName is then perhaps not the name that is meant.
	HasECH bool
}

var (
	// ErrNotHello means that the bytes are no ClientHello, whatever may follow.
	ErrNotHello = errors.New("hello: not a ClientHello")
	// ErrMalformed means that the bytes begin like a ClientHello, and break its form.
	ErrMalformed = errors.New("hello: malformed ClientHello")
	// ErrTooLong means that more than MaxMessage bytes are announced.
	ErrTooLong = errors.New("hello: ClientHello too long")
	// ErrIncomplete means that bytes are missing at the end.
	ErrIncomplete = errors.New("hello: incomplete ClientHello")
)

// IsGREASE says whether a value of a list is there to be ignored: 0x0a0a, 0x1a1a, … 0xfafa (RFC 8701,
// section 2).
func IsGREASE(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// Parse reads one handshake message: type 1, a length of three bytes, and the body, which must end
// where b does. It fails with one of the errors of this package; what it returns shares no memory with b.
func Parse(b []byte) (*ClientHello, error) {
	size, err := messageSize(b)
	switch {
	case err != nil:
		return nil, err
	case size == 0 || size > len(b):
		return nil, ErrIncomplete
	case size < len(b):
		return nil, ErrMalformed
	}
	h := &ClientHello{}
	c := cursor{b: b[4:]}
	h.LegacyVersion = uint16(c.number(2))
	c.take(32)  // random
	c.vector(1) // legacy_session_id
	h.Ciphers = c.numbers(2)
	c.vector(1) // legacy_compression_methods
	if c.bad {
		return nil, ErrMalformed
	}
	if len(c.b) == 0 {
		return h, nil // TLS 1.2 and before may end here (RFC 5246, section 7.4.1.2)
	}
	extensions := c.vector(2)
	if c.bad || len(c.b) > 0 || !h.readExtensions(&extensions) {
		return nil, ErrMalformed
	}
	return h, nil
}

// messageSize is the size of the handshake message that b begins with, its header included; 0 while
// the header is not there yet.
func messageSize(b []byte) (int, error) {
	if len(b) > 0 && b[0] != typeClientHello {
		return 0, ErrNotHello
	}
	if len(b) < 4 {
		return 0, nil
	}
	size := 4 + int(b[1])<<16 + int(b[2])<<8 + int(b[3])
	if size > MaxMessage {
		return 0, ErrTooLong
	}
	return size, nil
}

// typeClientHello is a handshake type (RFC 8446, section 4).
const typeClientHello = 1

func (h *ClientHello) readExtensions(all *cursor) (ok bool) {
	for len(all.b) > 0 {
		id := uint16(all.number(2))
		body := all.vector(2)
		if all.bad || slices.Contains(h.Extensions, id) { // at most one of a type (RFC 8446, section 4.2)
			return false
		}
		h.Extensions = append(h.Extensions, id)
		if !h.readExtension(id, &body) {
			return false
		}
	}
	return true
}

// readExtension says whether an extension keeps its form; one that is not known always does.
func (h *ClientHello) readExtension(id uint16, c *cursor) (ok bool) {
	switch id {
	case extServerName:
		h.readServerName(c)
	case extALPN:
		list := c.vector(2)
		for !list.bad && len(list.b) > 0 {
			name := list.vector(1)
			h.ALPN = append(h.ALPN, string(name.b))
		}
		c.bad = c.bad || list.bad
	case extGroups:
		h.Groups = c.numbers(2)
	case extSignatureAlgorithms:
		h.SignatureAlgorithms = c.numbers(2)
	case extSupportedVersions:
		h.SupportedVersions = c.numbers(1)
	case extECH:
		h.HasECH = true
		return true
	default:
		return true
	}
	return !c.bad && len(c.b) == 0
}

// readServerName takes the first host name of the list: there is no other kind of name (RFC 6066,
// section 3).
func (h *ClientHello) readServerName(c *cursor) {
	list := c.vector(2)
	for !list.bad && len(list.b) > 0 {
		kind, name := list.number(1), list.vector(2)
		if kind == 0 && h.ServerName == "" {
			h.ServerName = string(name.b)
		}
	}
	c.bad = c.bad || list.bad
}
