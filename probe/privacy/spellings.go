package privacy

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// needle is one way to write something of ours, in lower case.
type needle struct {
	text string
	// number: digits beside it make another number of it; letters do not.
	number bool
	// domain: names below it are ours too.
	domain bool
	// below: only names below it are ours; it is itself a word.
	below bool
}

// spellings of an address: the usual one is found by its meaning as well (eye.go), the others by their letters.
func spellings(a netip.Addr) []needle {
	if a.Is4() {
		return spellings4(a.As4())
	}
	b := a.As16()
	full := a.StringExpanded()
	var nibbles []string
	for _, c := range []byte(hex.EncodeToString(b[:])) {
		nibbles = append(nibbles, string(c))
	}
	slices.Reverse(nibbles)
	return words(
		a.String(), full, strings.ReplaceAll(full, ":", "-"),
		strings.ReplaceAll(a.String(), ":", "-"), // ipv6-literal.net, and names that providers give
		hex.EncodeToString(b[:]), strings.Join(nibbles, "."),
	)
}

func spellings4(b [4]byte) []needle {
	dotted := netip.AddrFrom4(b).String()
	back := netip.AddrFrom4([4]byte{b[3], b[2], b[1], b[0]}).String()
	n := uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
	number := strconv.FormatUint(n, 16)
	out := words(
		strings.ReplaceAll(dotted, ".", "-"), strings.ReplaceAll(dotted, ".", "_"),
		strings.ReplaceAll(back, ".", "-"), back+".in-addr.arpa",
		hex.EncodeToString(b[:]), "0x"+hex.EncodeToString(b[:]), "0x"+number,
		strconv.FormatUint(n, 10),
		fmt.Sprintf("%03d.%03d.%03d.%03d", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("%03d-%03d-%03d-%03d", b[0], b[1], b[2], b[3]),
	)
	return append(out, needle{text: dotted, number: true})
}

// spellingsMAC are those of a MAC, and of the interface identifiers that are made of it.
func spellingsMAC(m net.HardwareAddr) []needle {
	id, ok := eui64(m)
	if !ok {
		return nil
	}
	flat := hex.EncodeToString(m)
	out := words(pairs(m, ":"), pairs(m, "-"), flat, flat[:4]+"."+flat[4:8]+"."+flat[8:])
	universal := id
	universal[0] ^= 2 // IEEE's own form, without RFC 4291's inverted bit
	for _, e := range [][8]byte{id, universal} {
		h := hex.EncodeToString(e[:])
		groups := []string{h[:4], h[4:8], h[8:12], h[12:]}
		for i := range groups {
			groups[i] = strings.TrimLeft(groups[i][:3], "0") + groups[i][3:]
		}
		out = append(out, words(pairs(e[:], ":"), pairs(e[:], "-"), h, strings.Join(groups, ":"))...)
	}
	return out
}

func pairs(b []byte, between string) string {
	out := make([]string, len(b))
	for i := range b {
		out[i] = hex.EncodeToString(b[i : i+1])
	}
	return strings.Join(out, between)
}

func words(texts ...string) []needle {
	out := make([]needle, 0, len(texts))
	for _, t := range texts {
		out = append(out, needle{text: t})
	}
	return out
}

// in gives the places of a needle in a text in lower case.
func (n *needle) in(s string) (found []span) {
	for at := 0; ; {
		i := strings.Index(s[at:], n.text)
		if i < 0 {
			return found
		}
		sp := span{at + i, at + i + len(n.text)}
		at += i + 1
		if n.alone(s, sp) && n.widen(s, &sp) {
			found = append(found, sp)
		}
	}
}

// alone says whether what stands beside it leaves it what it is.
func (n *needle) alone(s string, sp span) bool {
	part := isWord
	switch {
	case n.number:
		part = isDigit
	case n.domain:
		part = isLabel
	}
	if sp.to < len(s) && part(s[sp.to]) {
		return false
	}
	return sp.from == 0 || !part(s[sp.from-1])
}

// widen takes in the names below a domain; false where it is none of ours by itself.
func (n *needle) widen(s string, sp *span) bool {
	if !n.domain {
		return true
	}
	from := sp.from
	for from > 0 && (isLabel(s[from-1]) || s[from-1] == '.') {
		from--
	}
	for from < sp.from && s[from] == '.' {
		from++
	}
	if n.below && from == sp.from {
		return false
	}
	sp.from = from
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isHex(c byte) bool   { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }
func isWord(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// isLabel is what host names are made of, and the underscore that some machines' names have.
func isLabel(c byte) bool { return isWord(c) || c == '-' || c == '_' }

// lower is strings.ToLower for ASCII alone: the bytes of a text stay where they are, whatever it holds.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
