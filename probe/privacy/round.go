package privacy

import (
	"net/netip"
	"reflect"
	"slices"

	"github.com/telltale-probe/telltale/measurements"
)

// Scrubber takes what is ours out of records and texts. It is safe for concurrent use.
type Scrubber struct {
	own     Own
	known   []netip.Addr
	lexicon *names
	key     []byte
	still   *eye // for texts that belong to no round
}

// New makes a scrubber of what is ours. key keeps the stand-ins of addresses the same from round to round, and
// from being guessed; it stays on the machine.
func New(own Own, known Known, key []byte) *Scrubber {
	s := &Scrubber{own: own, known: known.Addresses, lexicon: newNames(known.Words), key: slices.Clone(key)}
	s.still = newEye(newAddresses(own, s.known), s.lexicon, own)
	s.still.measured = func(a netip.Addr) bool { return s.still.ours.known[a] }
	return s
}

// Text gives a text without what is ours, and without any address but those of the configuration: what a peer
// writes may be the one that it sees us under.
func (s *Scrubber) Text(text string) string { return s.still.text(text) }

// Ours says whether an address is ours.
func (s *Scrubber) Ours(a netip.Addr) bool { return s.still.ours.has(a) }

// Round gives a round without what is ours. learnt are addresses under which somebody said to see us; they may be
// lies, and are not believed where they would hide a server that has proved itself, or a block page's address.
//
// Judging makes the same of the result as of the round: what rules compare stays the same, or different, as it
// was. The round that was given stays as it is, and shares what is unchanged with the result.
//
// found is what the round itself told of us: to be known in the next one, and by logs.
func (s *Scrubber) Round(r measurements.Round, learnt []netip.Addr) (out measurements.Round, found Own) {
	p := s.begin(&r, learnt)
	r.Gate = p.prepare(r.Gate)
	r.Apps = slices.Clone(r.Apps)
	for i := range r.Apps {
		r.Apps[i] = p.prepare(r.Apps[i])
	}
	v, _ := p.walk(reflect.ValueOf(r))
	return v.Interface().(measurements.Round), p.found
}

// prepare does to a measurement what takes more than looking for words.
func (p *pass) prepare(m measurements.Measurement) measurements.Measurement {
	m.Observations = slices.Clone(m.Observations)
	for i := range m.Observations {
		o := &m.Observations[i]
		o.Error = p.text(o.Error)
		if o.Failure.IsUnknown() {
			o.Failure = measurements.Failure(p.text(string(o.Failure)))
		}
		o.DNS, o.HTTP, o.TLS = p.dns(o.DNS), p.http(o.HTTP), p.tls(o)
		if o.App != nil && len(o.App.FirstBytes) > 0 {
			h := *o.App
			h.FirstBytes = p.blob(h.FirstBytes, p.binary)
			h.FirstBytes = h.FirstBytes[:min(len(h.FirstBytes), len(o.App.FirstBytes))] // a record bounds them
			o.App = &h
		}
	}
	return m
}

// word is a string of a record. One of the configuration's stays; one that is an address as a whole is replaced by
// another, unless it was measured.
func (p *pass) word(s string) string {
	if s == "" || p.lexicon.known[lower(s)] {
		return s
	}
	if out, ok := p.cache[s]; ok {
		return out
	}
	out := p.wholeOr(s, p.text)
	p.cache[s] = out
	return out
}

func (p *pass) wholeOr(s string, otherwise func(string) string) string {
	if a, err := netip.ParseAddr(s); err == nil {
		if b := p.address(a); b != a {
			return b.String()
		}
		return s
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		if b := p.address(ap.Addr()); b != ap.Addr() {
			return netip.AddrPortFrom(b, ap.Port()).String()
		}
		return s
	}
	return otherwise(s)
}

// address is an address of a record.
func (p *pass) address(a netip.Addr) netip.Addr {
	if p.ours.has(a) || strange(a) && !p.measured(plain(a)) {
		return p.standIn(a)
	}
	return a
}
