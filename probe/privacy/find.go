package privacy

import (
	"net/netip"
)

// Addresses gives a text without the addresses that are said to be ours, however they are spelled; what stands for
// each is OONI's word.
func Addresses(text string, ours func(netip.Addr) bool) string {
	var spans []span
	for _, f := range findAddresses(text) {
		if ours(plain(f.addr)) {
			spans = append(spans, f.span)
		}
	}
	return replace(text, spans, scrubbed)
}

// found is an address in a text.
type found struct {
	span
	addr netip.Addr
	// alone: nothing beside it makes it look like a part of something else.
	alone bool
}

// mostGroups bounds an address of IPv6: eight groups, or fewer with two colons in a row, or with dots at the end.
const mostGroups = 9

// longestAddress, in bytes: eight groups of four, or six and four numbers of three, and what stands between them.
const longestAddress = 46

// findAddresses finds whatever can be read as an address, in any spelling that a reader of addresses takes: with
// zeros in front, with a zone, behind and before anything else. Of those that share bytes the first and longest
// is given; but one in another's zone is given as well, since it alone may be ours.
func findAddresses(s string) (out []found) {
	for at := 0; at < len(s); {
		if !isHex(s[at]) && s[at] != ':' {
			at++
			continue
		}
		end := at
		dots, colons := 0, 0
		for end < len(s) && (isHex(s[end]) || s[end] == ':' || s[end] == '.') {
			switch s[end] {
			case '.':
				dots++
			case ':':
				colons++
			}
			end++
		}
		if dots >= 3 || colons >= 2 {
			out = append(out, inRun(s, at, end)...)
		}
		at = end
	}
	return out
}

// inRun finds the addresses in a run of the bytes that they are made of.
func inRun(s string, from, to int) (out []found) {
	for at := from; at < to; {
		begins := at == from || s[at-1] == ':' || s[at-1] == '.' || s[at] == ':'
		if begins {
			if f, ok := six(s, at, to); ok {
				out = append(out, f)
				at = f.to
				continue
			}
		}
		if isDigit(s[at]) && (at == 0 || !isDigit(s[at-1])) {
			if f, ok := four(s, at, '.'); ok {
				out = append(out, f)
				at = f.to
				continue
			}
		}
		at++
	}
	return out
}

// six reads the longest address of IPv6 that begins at a place.
func six(s string, at, to int) (found, bool) {
	var ends []int // of groups
	to = min(to, at+longestAddress)
	for i, groups := at, 0; i <= to && groups <= mostGroups; i++ {
		if i == to || s[i] == ':' {
			ends = append(ends, i)
			groups++
			if i+1 <= to && i < to && s[i] == ':' && (i+1 == to || !isHex(s[i+1])) {
				ends = append(ends, i+1) // behind "::"
			}
		}
	}
	for i := len(ends) - 1; i >= 0; i-- {
		if ends[i]-at < 2 {
			continue
		}
		text := s[at:ends[i]]
		for len(text) > 0 && text[len(text)-1] == '.' { // the end of a sentence
			text = text[:len(text)-1]
		}
		a, err := netip.ParseAddr(text)
		if err != nil || a.Is4() {
			continue
		}
		sp := span{at, at + len(text)}
		f := found{sp, a, (at == 0 || !isWord(s[at-1])) && (sp.to == len(s) || !isWord(s[sp.to]))}
		f.to = zone(s, f.to)
		return f, true
	}
	return found{}, false
}

// zone gives the end of an address with its zone.
func zone(s string, at int) int {
	if at+1 >= len(s) || s[at] != '%' || !isWord(s[at+1]) {
		return at
	}
	for at++; at < len(s) && (isLabel(s[at]) || s[at] == '.'); at++ {
	}
	return at
}

// findDashed finds addresses with dashes between their numbers, at the begin of a word or behind another one: so
// providers name the machines of their customers.
func findDashed(s string) (out []found) {
	for at := 0; at < len(s); at++ {
		if !isDigit(s[at]) || at > 0 && isWord(s[at-1]) {
			continue
		}
		if f, ok := four(s, at, '-'); ok && (f.to == len(s) || !isLabel(s[f.to])) {
			out = append(out, f)
			at = f.to
		}
	}
	return out
}

// four reads four numbers with a sign between them.
func four(s string, at int, between byte) (found, bool) {
	var b [4]byte
	i := at
	for n := range b {
		v, digits := 0, 0
		for ; i < len(s) && isDigit(s[i]) && digits < 4; i++ {
			v, digits = 10*v+int(s[i]-'0'), digits+1
		}
		if digits == 0 || digits > 3 || v > 255 {
			return found{}, false
		}
		b[n] = byte(v)
		if n < 3 {
			if i >= len(s) || s[i] != between {
				return found{}, false
			}
			i++
		}
	}
	// More numbers make a version, or an object identifier; so does "=" (RFC 4514, section 2.3).
	more := i < len(s) && (s[i] == '=' || s[i] == between && i+1 < len(s) && isDigit(s[i+1]))
	before := at > 1 && s[at-1] == between && isDigit(s[at-2])
	return found{span{at, i}, netip.AddrFrom4(b), !more && !before}, true
}

// findMACs finds what is written like a MAC or an interface identifier: six or eight pairs of hexadecimal digits
// with one sign between them, and no more pairs beside them, as fingerprints have. Of digits alone it may be a time.
func findMACs(s string) (out []span) {
	for at := 0; at+17 <= len(s); at++ {
		if at > 0 && (isWord(s[at-1]) || isBetween(s[at-1]) && at > 1 && isHex(s[at-2])) || !isHex(s[at]) || !isHex(s[at+1]) || !isBetween(s[at+2]) {
			continue
		}
		n, letters := 0, false
		i := at
		for i+1 < len(s) && isHex(s[i]) && isHex(s[i+1]) {
			n++
			letters = letters || !isDigit(s[i]) || !isDigit(s[i+1])
			i += 2
			if i >= len(s) || s[i] != s[at+2] {
				break
			}
			i++
		}
		end := at + 3*n - 1
		if (n == 6 || n == 8) && letters && (end == len(s) || !isWord(s[end])) && (end+1 >= len(s) || !isBetween(s[end]) || !isHex(s[end+1])) {
			out = append(out, span{at, end})
		}
	}
	return out
}

func isBetween(c byte) bool { return c == ':' || c == '-' }
