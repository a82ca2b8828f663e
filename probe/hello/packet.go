package hello

import (
	"crypto/aes"
	"errors"
	"slices"
)

var (
	errVersion = errors.New("hello: not a QUIC version whose Initials can be read")
	errPacket  = errors.New("hello: no packet that the Initial keys open")
)

// mostConnectionID is the longest connection id of versions 1 and 2 (RFC 9000, section 17.2).
const mostConnectionID = 20

// ParseLongHeader reads what all versions of QUIC have in common: a datagram's first packet has a long
// header, with a version (0: version negotiation) and two connection ids, which still belong to the
// datagram. ok is false for everything else. RFC 8999, section 5.1.
func ParseLongHeader(datagram []byte) (version uint32, dcid, scid []byte, ok bool) {
	c := cursor{b: datagram}
	first := c.take(1)
	if c.bad || first[0]&0x80 == 0 {
		return 0, nil, nil, false
	}
	version = c.number(4)
	d, s := c.vector(1), c.vector(1)
	return version, d.b, s.b, !c.bad
}

// packet is a packet with a long header and a length, still protected.
type packet struct {
	version    uint32
	dcid, scid []byte
	initial    bool
	token      []byte // of an Initial: there after a Retry, or on a further visit
	whole      []byte // from the first byte to the last
	number     int    // offset of the packet number
}

// nextPacket cuts the first packet off a datagram: several may be coalesced (RFC 9000, section 12.2).
// ok is false where the rest can't be read as packets of version 1 or 2 with a length: a short header,
// a Retry, padding of the datagram.
func nextPacket(datagram []byte) (p packet, rest []byte, ok bool) {
	p.version, p.dcid, p.scid, ok = ParseLongHeader(datagram)
	d, known := dialects[p.version]
	if !ok || !known || len(p.dcid) > mostConnectionID || len(p.scid) > mostConnectionID {
		return packet{}, nil, false
	}
	kind := datagram[0] >> 4 & 3
	if kind == d.retry {
		return packet{}, nil, false
	}
	c := cursor{b: datagram}
	c.take(1 + 4 + 1 + len(p.dcid) + 1 + len(p.scid))
	if p.initial = kind == d.initial; p.initial {
		p.token = c.varbytes()
	}
	length := c.varint()
	p.number = len(datagram) - len(c.b)
	if c.bad || length > uint64(len(c.b)) {
		return packet{}, nil, false
	}
	end := p.number + int(length)
	p.whole = datagram[:end]
	return p, datagram[end:], true
}

// open takes off header protection and encryption. largest is the largest packet number that was
// opened before, -1 where none was. The packet itself is left as it is.
func (k *keys) open(p packet, largest int64) (payload []byte, number int64, err error) {
	// The sample is taken as if the packet number had four bytes (RFC 9001, section 5.4.2).
	if len(p.whole) < p.number+4+aes.BlockSize {
		return nil, 0, errPacket
	}
	mask := k.mask(p.whole[p.number+4:][:aes.BlockSize])
	header := slices.Clone(p.whole[:p.number+4])
	header[0] ^= mask[0] & 0x0f
	size := int(header[0]&3) + 1
	header = header[:p.number+size]
	var truncated int64
	for i := range size {
		header[p.number+i] ^= mask[1+i]
		truncated = truncated<<8 | int64(header[p.number+i])
	}
	number = fullNumber(truncated, largest, 8*size)
	payload, err = k.aead.Open(nil, k.nonce(uint64(number)), p.whole[len(header):], header)
	if err != nil {
		return nil, 0, errPacket
	}
	return payload, number, nil
}

// fullNumber completes a packet number of which the last bits were sent: the one that is nearest to
// what is expected next (RFC 9000, appendix A.3).
func fullNumber(truncated, largest int64, bits int) int64 {
	expected, window := largest+1, int64(1)<<bits
	candidate := expected&^(window-1) | truncated
	switch {
	case candidate <= expected-window/2 && candidate < 1<<62-window:
		return candidate + window
	case candidate > expected+window/2 && candidate >= window:
		return candidate - window
	}
	return candidate
}

// seal encrypts a payload behind a header that ends with a packet number of four bytes, and protects
// the header. The payload has four bytes at least. header is used up.
func (k *keys) seal(header, payload []byte, number uint64) []byte {
	sealed := k.aead.Seal(nil, k.nonce(number), payload, header)
	mask := k.mask(sealed[:aes.BlockSize]) // the packet number has four bytes, so the sample comes right behind it
	header[0] ^= mask[0] & 0x0f
	for i := range 4 {
		header[len(header)-4+i] ^= mask[1+i]
	}
	return append(header, sealed...)
}
