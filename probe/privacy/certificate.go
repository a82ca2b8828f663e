package privacy

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/netip"

	"github.com/telltale-probe/telltale/measurements"
)

const (
	// mostNames of boxes at home are looked for in a round: who answers in their place may make up any number.
	// Chosen by us.
	mostNames = 64
	// Of a record of TLS (RFC 8446, section 5.1), and of the messages of a handshake in it (section 4).
	recordHeader, messageHeader  = 5, 4
	handshakeRecord, serverHello = 22, 2
)

// homeAlone is the private range that routers at home have from their makers; providers have the other two.
var homeAlone = netip.MustParsePrefix("192.168.0.0/16")

// learnNames looks for the chains of boxes at home, and takes their names for ours: other texts of the round, such
// as Go's errors, repeat them.
func (p *pass) learnNames(r *measurements.Round) {
	learnt := map[string]bool{}
	for o := range observations(r) {
		if o.TLS == nil || p.isServers(o) {
			continue
		}
		chain := parse(o.TLS.Chain)
		if len(chain) == 0 || !p.ours.atHome(o.Addr()) && !p.isBox(chain[0]) {
			continue
		}
		p.homes[o.TLS] = true
		for _, c := range chain {
			for _, name := range texts(c) {
				needles := p.lexicon.learnt(name)
				if learnt[name] || len(learnt) == mostNames || len(needles) == 0 {
					continue
				}
				learnt[name] = true
				p.needles, p.found.Boxes = append(p.needles, needles...), append(p.found.Boxes, name)
			}
			p.learnAddresses(c)
		}
	}
}

// isServers says whether a chain is the server's own: it proved it, or the reference vantage was shown the same key.
// What is in it names nobody's home, and rules look at the key.
func (p *pass) isServers(o *measurements.Observation) bool {
	return o.OK() || len(p.keys) > 0 && len(o.TLS.Chain) > 0 && p.keys[measurements.KeyOf(o.TLS.Chain[0])]
}

// learnAddresses takes the private addresses of a box at home for ours.
func (p *pass) learnAddresses(c *x509.Certificate) {
	for _, ip := range c.IPAddresses[:min(len(c.IPAddresses), mostNames)] {
		if a, _ := netip.AddrFromSlice(ip); privateHome(plain(a)) && p.ours.may(plain(a)) {
			p.ours.exact[plain(a)] = true
			p.needles = append(p.needles, spellings(plain(a))...)
			delete(p.taken, plain(a))
		}
	}
}

// privateHome says whether an address is one that homes have, and hardly a provider.
func privateHome(a netip.Addr) bool {
	return homeAlone.Contains(a) || a.Is6() && (a.IsPrivate() || a.IsLinkLocalUnicast())
}

// parse reads a chain as far as it can be read.
func parse(chain [][]byte) (out []*x509.Certificate) {
	for _, der := range chain {
		if c, err := x509.ParseCertificate(der); err == nil {
			out = append(out, c)
		}
	}
	return out
}

// isBox says whether a certificate is that of a box at home, wherever it was shown: it names an address or a name
// that homes alone have.
func (p *pass) isBox(leaf *x509.Certificate) bool {
	for _, ip := range leaf.IPAddresses {
		a, _ := netip.AddrFromSlice(ip)
		if a = plain(a); p.ours.atHome(a) || privateHome(a) {
			return true
		}
	}
	for _, text := range texts(leaf) {
		if p.namesUs(text) || homeName(bare(text)) {
			return true
		}
	}
	return false
}

// texts are all texts in a certificate that may be names.
func texts(c *x509.Certificate) (out []string) {
	out = append(out, c.DNSNames...)
	out = append(out, c.EmailAddresses...)
	for _, u := range c.URIs {
		out = append(out, u.String())
	}
	for _, n := range []pkix.Name{c.Subject, c.Issuer} {
		for _, a := range n.Names {
			out = append(out, fmt.Sprint(a.Value))
		}
	}
	return out
}

// tls is a handshake without what is ours. A chain that names anything of ours, or is a box's at home, is left out
// as a whole: no part of it proves anything then, and a certificate can't be edited.
func (p *pass) tls(o *measurements.Observation) *measurements.TLS {
	in := o.TLS
	if in == nil {
		return nil
	}
	t := *in
	if len(t.FirstBytes) > 0 {
		t.FirstBytes = p.blob(withoutCertificate(t.FirstBytes), p.binary)
	}
	box := p.homes[in]
	if !p.isServers(o) && (box || p.chainTells(in.Chain)) {
		t.Chain = nil
	}
	for _, der := range t.Chain {
		if len(der) > 0 {
			p.whole[&der[0]] = true
		}
	}
	t.LeafNames = nil
	for _, name := range in.LeafNames {
		if out := p.text(name); out != name || box && !p.lexicon.known[lower(name)] {
			name = scrubbed
		}
		t.LeafNames = append(t.LeafNames, name)
	}
	if in.LeafIssuer != "" && (box || p.tells(in.LeafIssuer)) {
		t.LeafIssuer = p.tag(in.LeafIssuer)
	}
	return &t
}

// withoutCertificate is the begin of a server's answer up to the end of its hello: in TLS 1.2 the certificate that
// follows is in clear, and here it would be too short to be read.
func withoutCertificate(b []byte) []byte {
	if b[0] != handshakeRecord || len(b) <= recordHeader {
		return b
	}
	end := recordHeader
	if m := b[recordHeader:]; len(m) >= messageHeader && m[0] == serverHello {
		end += messageHeader + int(m[1])<<16 + int(m[2])<<8 + int(m[3])
	}
	return b[:min(end, len(b))]
}

// chainTells says whether a chain names anything of ours.
func (p *pass) chainTells(chain [][]byte) bool {
	for _, der := range chain {
		if p.holds(der, p.binary) {
			return true
		}
	}
	for _, c := range parse(chain) {
		for _, text := range texts(c) {
			if p.tells(text) {
				return true
			}
		}
		for _, ip := range c.IPAddresses {
			if a, ok := netip.AddrFromSlice(ip); ok && (p.ours.has(a) || strange(a) && !p.measured(plain(a))) {
				return true
			}
		}
	}
	return false
}
