package hello

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// JA4 fingerprints a ClientHello: its kind, and hashes of what it offers, so that two hellos of one
// program give one word, whatever the name asked for. clientHello is the handshake message, or the TLS
// record or records that carry it; quic says that it came over QUIC. It fails as Parse does.
//
// The form is a_b_c: ten characters in clear, twelve hex digits of the sorted ciphers, and twelve of
// the sorted extensions and the signature algorithms. GREASE is left out everywhere. FoxIO, "JA4: TLS
// Client Fingerprinting" (github.com/FoxIO-LLC/ja4, technical_details/JA4.md).
func JA4(clientHello []byte, quic bool) (string, error) {
	msg := clientHello
	if len(msg) > 0 && msg[0] == recordHandshake {
		m, complete, err := FromRecords(msg)
		switch {
		case err != nil:
			return "", err
		case !complete:
			return "", ErrIncomplete
		}
		msg = m
	}
	h, err := Parse(msg)
	if err != nil {
		return "", err
	}
	return h.ja4(quic), nil
}

func (h *ClientHello) ja4(quic bool) string {
	transport, name := "t", "i"
	if quic {
		transport = "q"
	}
	if slices.Contains(h.Extensions, extServerName) {
		name = "d"
	}
	ciphers, extensions := meant(h.Ciphers), meant(h.Extensions)
	a := fmt.Sprintf("%s%s%s%02d%02d%s", transport, h.ja4Version(), name, min(len(ciphers), 99), min(len(extensions), 99), h.ja4ALPN())

	slices.Sort(ciphers)
	// The counted extensions include SNI and ALPN, the hashed ones don't: they change with the site.
	hashed := slices.DeleteFunc(extensions, func(id uint16) bool { return id == extServerName || id == extALPN })
	slices.Sort(hashed)
	offered := list(hashed)
	if algorithms := meant(h.SignatureAlgorithms); len(algorithms) > 0 {
		offered += "_" + list(algorithms) // in the order of sending
	}
	if len(hashed) == 0 {
		offered = ""
	}
	return a + "_" + hash12(list(ciphers)) + "_" + hash12(offered)
}

// ja4Version is the highest version offered, as two characters.
func (h *ClientHello) ja4Version() string {
	version := h.LegacyVersion
	if offered := meant(h.SupportedVersions); len(offered) > 0 {
		version = slices.Max(offered)
	}
	switch version {
	case 0x0304:
		return "13"
	case 0x0303:
		return "12"
	case 0x0302:
		return "11"
	case 0x0301:
		return "10"
	case 0x0300:
		return "s3"
	case 0x0002:
		return "s2"
	}
	return "00"
}

// ja4ALPN is the first and the last character of the first protocol offered; where either is no letter
// or digit, the first and the last digit of the whole in hex; "00" where nothing is offered.
func (h *ClientHello) ja4ALPN() string {
	if len(h.ALPN) == 0 || h.ALPN[0] == "" {
		return "00"
	}
	p := h.ALPN[0]
	if !alphanumeric(p[0]) || !alphanumeric(p[len(p)-1]) {
		p = hex.EncodeToString([]byte(p))
	}
	return string([]byte{p[0], p[len(p)-1]})
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// meant is a copy without GREASE.
func meant(values []uint16) []uint16 {
	return slices.DeleteFunc(slices.Clone(values), IsGREASE)
}

// list writes values as four hex digits each, with commas between.
func list(values []uint16) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprintf("%04x", v)
	}
	return strings.Join(words, ",")
}

// hash12 is the truncated SHA-256 of a list; zeros for an empty one.
func hash12(text string) string {
	if text == "" {
		return "000000000000"
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}
