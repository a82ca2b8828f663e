package privacy

import (
	"net/netip"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/measurements"
)

// dns is an answer without what is ours. Addresses are replaced later, with all others; the wire form is left out
// as a whole where it holds anything.
func (p *pass) dns(in *measurements.DNS) *measurements.DNS {
	if in == nil {
		return nil
	}
	d := *in
	d.CNAMEs = nil
	for _, name := range in.CNAMEs {
		d.CNAMEs = append(d.CNAMEs, p.text(name))
	}
	if d.Identity != "" && (d.Class == "home" || p.tells(d.Identity)) {
		d.Identity = p.tag(d.Identity) // what a box at home calls itself; a rule compares two of them
	}
	if d.Identity != in.Identity || p.inAnswer(d.Raw) {
		d.Raw = nil
	}
	return &d
}

// inAnswer says whether the wire form of an answer holds anything of ours: an address, a name, a text, or the
// subnet for which it was asked (RFC 7871).
func (p *pass) inAnswer(raw []byte) bool {
	if len(raw) == 0 {
		return false
	}
	if p.holds(raw, p.binary) {
		return true
	}
	var m dns.Msg
	if err := m.Unpack(raw); err != nil {
		return p.tells(string(raw))
	}
	for _, list := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range list {
			if p.inRecord(rr) {
				return true
			}
		}
	}
	return false
}

func (p *pass) inRecord(rr dns.RR) bool {
	var a netip.Addr
	switch rr := rr.(type) {
	case *dns.A:
		a, _ = netip.AddrFromSlice(rr.A.To4())
	case *dns.AAAA:
		a, _ = netip.AddrFromSlice(rr.AAAA.To16())
	case *dns.TXT:
		for _, text := range rr.Txt {
			if p.tells(text) {
				return true
			}
		}
		return false
	default:
		return p.tells(rr.String())
	}
	return a.IsValid() && p.ours.has(a)
}
