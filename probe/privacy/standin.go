package privacy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"net/netip"

	"github.com/telltale-probe/telltale/measurements"
)

// kinds are the ranges that rules tell apart. What is replaced stays in its own.
var kinds = prefixes(
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", // RFC 1918, RFC 3927
	"100.64.0.0/10",        // RFC 6598
	"198.18.0.0/15",        // RFC 2544
	"fe80::/10",            // RFC 4291, section 2.5.6
	"fd00::/8", "fc00::/8", // RFC 4193
)

// Everything else stays public: addresses for documentation (RFC 5737, RFC 3849) are nobody's.
var public4, public6 = netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32")

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// kindOf is the range in which an address has its stand-in.
func kindOf(a netip.Addr) netip.Prefix {
	for _, k := range kinds {
		if k.Contains(a) {
			return k
		}
	}
	if a.Is4() {
		return public4
	}
	return public6
}

// mostTries bounds the search for a stand-in that nobody has in the round. Chosen by us: the smallest range has
// 256 addresses.
const mostTries = 1 << 10

// standIn is what an address that is ours is replaced by: of the same kind, the same one in the whole round and,
// under the installation's key, in later rounds. Who has not the key learns nothing from it.
func (p *pass) standIn(a netip.Addr) netip.Addr {
	if a.Is4In6() {
		b := p.standIn(a.Unmap()).As16()
		return netip.AddrFrom16(b)
	}
	a = a.WithZone("")
	if b, ok := p.stands[a]; ok {
		return b
	}
	var b netip.Addr
	if four, ok := inside(a); a.Is6() && ok && nat64.Contains(a) {
		at, in := a.As16(), p.standIn(four).As4()
		copy(at[12:], in[:])
		b = netip.AddrFrom16(at)
	} else {
		for n := range uint32(mostTries) {
			if b = p.draw(kindOf(a), a, n); !p.taken[b] && !p.ours.has(b) && !measurements.BlockAddress(b) && !p.ours.known[b] {
				break
			}
		}
	}
	p.stands[a], p.taken[b] = b, true
	return b
}

// draw gives the n-th address that the key makes of an address in a range.
func (p *pass) draw(in netip.Prefix, of netip.Addr, n uint32) netip.Addr {
	sum := p.digest("address", binary.BigEndian.AppendUint32(of.AsSlice(), n))
	b := in.Masked().Addr().AsSlice()
	for i := in.Bits(); i < 8*len(b); i++ {
		b[i/8] |= sum[i/8] & (0x80 >> (i % 8))
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// tag tells texts apart that were scrubbed, where a rule asks only whether two are the same.
func (p *pass) tag(text string) string {
	return scrubbed + " " + base32.HexEncoding.EncodeToString(p.digest("text", []byte(text))[:5])
}

func (s *Scrubber) digest(what string, b []byte) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte("telltale privacy 1 " + what + "\n"))
	mac.Write(b)
	return mac.Sum(nil)
}
