package netlab

import (
	"crypto/x509"
	"strings"
)

// Records and messages of TLS 1.2 that a box reads (RFC 5246, sections 6.2.1 and 7.4).
const (
	recordHeader       = 5
	handshakeRecord    = 22
	certificateMessage = 11
)

// mostShown bounds what a box keeps of a server's stream while it waits for a certificate.
const mostShown = 32 << 10

// meetsCertificate reads the server's stream as far as a certificate in clear. Where a rule acts on it, it
// gives the rule, and how much of the part still passes. The caller holds the flow's lock.
func (f *flow) meetsCertificate(part []byte) (*Rule, int) {
	if f.certified || !f.n.readsCertificates() {
		return nil, 0
	}
	f.shown = append(f.shown, part...)
	at := 0
	for len(f.shown)-at >= recordHeader {
		record := f.shown[at:]
		size := recordHeader + int(record[3])<<8 + int(record[4])
		if record[0] != handshakeRecord {
			f.certified = true // no TLS, or enciphered from here on
			break
		}
		if len(record) < size {
			break
		}
		if r := f.matchCertificate(record[recordHeader:size]); r != nil {
			return r, max(len(part)-(len(f.shown)-at), 0)
		}
		at += size
	}
	f.certified = f.certified || len(f.shown) > mostShown
	return nil, 0
}

// matchCertificate gives the rule that acts on one handshake message, if it is the server's certificate. The
// first of the list is its own: a length of three bytes, and the certificate (RFC 5246, section 7.4.2).
func (f *flow) matchCertificate(message []byte) *Rule {
	const own = 4 + 3 + 3
	if len(message) < own || message[0] != certificateMessage {
		return nil
	}
	f.certified = true
	size := int(message[own-3])<<16 | int(message[own-2])<<8 | int(message[own-1])
	if len(message) < own+size {
		return nil
	}
	leaf, err := x509.ParseCertificate(message[own : own+size])
	if err != nil {
		return nil
	}
	for _, name := range leaf.DNSNames {
		if act := f.n.match(f, event{protocol: Certificate, name: strings.ToLower(name)}); len(act) > 0 {
			return act[0]
		}
	}
	return nil
}

// readsCertificates says whether any rule does.
func (n *Network) readsCertificates() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.rules {
		if n.rules[i].Protocol == Certificate {
			return true
		}
	}
	return false
}
