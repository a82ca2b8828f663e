package app

import (
	"bytes"
	"time"
)

// Numbers of the fields of CertChain, NoiseCertificate and its Details. Source: WACert.proto, as
// published with whatsmeow.
const (
	fieldLeaf         = 1 // of CertChain
	fieldIntermediate = 2
	fieldDetails      = 1 // of NoiseCertificate
	fieldSignature    = 2
	fieldSerial       = 1 // of Details
	fieldIssuerSerial = 2
	fieldKey          = 3
	fieldNotBefore    = 4
	fieldNotAfter     = 5
)

// certificate is one of WhatsApp's own.
type certificate struct {
	details, signature []byte // what is signed, and by whom
	serial, issuer     uint32
	key                []byte
	from, until        time.Time
}

// certChain is what the second message carries.
type certChain struct {
	leaf, intermediate certificate
	newer              bool // fields that version 1 of this check does not know
}

// parseCertChain reads a chain, and nothing of it is true yet.
func parseCertChain(b []byte) (chain certChain, err error) {
	var leaf, intermediate []byte
	err = eachField(b, func(f field) {
		switch {
		case f.number == fieldLeaf && f.bytes != nil:
			leaf = f.bytes
		case f.number == fieldIntermediate && f.bytes != nil:
			intermediate = f.bytes
		default:
			chain.newer = true
		}
	})
	if err == nil {
		chain.leaf, err = parseCertificate(leaf)
	}
	if err == nil {
		chain.intermediate, err = parseCertificate(intermediate)
	}
	return chain, err
}

func parseCertificate(b []byte) (c certificate, err error) {
	err = eachField(b, func(f field) {
		switch f.number {
		case fieldDetails:
			c.details = f.bytes
		case fieldSignature:
			c.signature = f.bytes
		}
	})
	if err != nil {
		return certificate{}, err
	}
	var from, until uint64
	err = eachField(c.details, func(f field) {
		switch f.number {
		case fieldSerial:
			c.serial = uint32(f.varint)
		case fieldIssuerSerial:
			c.issuer = uint32(f.varint)
		case fieldKey:
			c.key = f.bytes
		case fieldNotBefore:
			from = f.varint
		case fieldNotAfter:
			until = f.varint
		}
	})
	c.from, c.until = date(from), date(until)
	return c, err
}

// endOfTime is the last second that has a date in RFC 3339, and so in JSON.
const endOfTime = 253402300799

// date is a time in seconds since 1970. A certificate without a date has 1970 there, and is over.
func date(seconds uint64) time.Time { return time.Unix(int64(min(seconds, endOfTime)), 0).UTC() }

// untrue says why a chain does not lead from the root to the key that the peer has; empty when it
// does. Dates are not looked at.
func (c certChain) untrue(root [32]byte, static []byte) string {
	leaf, intermediate := c.leaf, c.intermediate
	switch {
	case !verifyXEdDSA(root, intermediate.details, intermediate.signature):
		return "its intermediate certificate is not signed by the root"
	case intermediate.issuer != 0: // the root's serial
		return "its intermediate certificate has another issuer than the root"
	case len(intermediate.key) != 32 || !verifyXEdDSA([32]byte(intermediate.key), leaf.details, leaf.signature):
		return "its leaf certificate is not signed by the intermediate"
	case leaf.issuer != intermediate.serial:
		return "its leaf certificate has another issuer than the intermediate"
	case !bytes.Equal(leaf.key, static):
		return "its leaf certificate is for another key"
	}
	return ""
}

// dates are those within which the whole chain holds.
func (c certChain) dates() (from, until time.Time) {
	from, until = c.leaf.from, c.leaf.until
	if c.intermediate.from.After(from) {
		from = c.intermediate.from
	}
	if c.intermediate.until.Before(until) {
		until = c.intermediate.until
	}
	return from, until
}
