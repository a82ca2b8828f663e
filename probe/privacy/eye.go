package privacy

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/telltale-probe/telltale/measurements"
)

// scrubbed stands where something of ours stood; the word is OONI's (ooni/spec df-007).
const scrubbed = "[scrubbed]"

// span is a part of a text.
type span struct{ from, to int }

// eye finds what is ours in texts.
type eye struct {
	ours    *addresses
	needles []needle
	// measured are the addresses of others that a text may name.
	measured func(netip.Addr) bool
	spared   []string // what is never taken out: words that block pages are known by, and what we put there
}

func newEye(ours *addresses, n *names, own Own) *eye {
	e := &eye{ours: ours, spared: append(measurements.BlockPageWords(), homeStandIn, otherStandIn), measured: func(netip.Addr) bool { return false }}
	for a := range ours.exact {
		e.needles = append(e.needles, spellings(a)...)
	}
	for _, m := range own.MACs {
		e.needles = append(e.needles, spellingsMAC(m)...)
	}
	for _, name := range own.Hosts {
		e.needles = append(e.needles, n.host(name)...)
	}
	for _, name := range own.Domains {
		e.needles = append(e.needles, n.domain(name)...)
	}
	for _, name := range own.Boxes {
		e.needles = append(e.needles, n.learnt(name)...)
	}
	e.needles = append(append(e.needles, homeNeedles()...), boxNeedles()...)
	slices.SortFunc(e.needles, func(a, b needle) int { return strings.Compare(a.text, b.text) })
	e.needles = slices.Compact(e.needles)
	return e
}

// passes bounds how often a text is looked through: what is taken out can leave something alone that was a part
// of a longer word. Chosen by us; two are enough but for texts that are made to need more.
const passes = 8

// text is a text without what is ours, and without addresses of which nobody knows whose they are.
func (e *eye) text(s string) string {
	for range passes {
		spans := e.spans(s, true)
		if len(spans) == 0 {
			return s
		}
		s = replace(s, spans, scrubbed)
	}
	return s
}

// tells says whether a text names anything of ours, or an address of which nobody knows whose it is.
func (e *eye) tells(s string) bool { return len(e.spans(s, true)) > 0 }

// namesUs says whether a text names anything of ours.
func (e *eye) namesUs(s string) bool { return len(e.spans(s, false)) > 0 }

// spans are the parts of a text to be taken out, in order. strangers: addresses and MACs that nobody knows count.
func (e *eye) spans(s string, strangers bool) []span {
	if len(s) < leastName {
		return nil
	}
	out := e.plainSpans(s, strangers)
	for _, t := range encoded(s) {
		if t.text != "" && len(e.plainSpans(t.text, strangers && printable(t.text))) > 0 {
			out = append(out, t.span)
		}
	}
	return e.sort(s, out)
}

// plainSpans are those that stand there as they are.
func (e *eye) plainSpans(s string, strangers bool) (out []span) {
	low := lower(s)
	for i := range e.needles {
		out = append(out, e.needles[i].in(low)...)
	}
	addresses := findAddresses(s)
	if strangers && strings.Contains(s, "-") {
		addresses = append(addresses, findDashed(s)...)
	}
	for _, f := range addresses {
		if e.ours.has(f.addr) || strangers && f.alone && strange(f.addr) && !e.measured(plain(f.addr)) {
			out = append(out, f.span)
		}
	}
	if strangers {
		out = append(out, findMACs(s)...)
	}
	return out
}

// strange says whether an address may be somebody's home: a public or private one, of the kind that is dealt out.
func strange(a netip.Addr) bool {
	a = plain(a)
	if !somebodys(a) || measurements.BlockAddress(a) {
		return false
	}
	if a.Is4() {
		first := a.As4()[0]
		return first != 0 && first < 224
	}
	first := a.As16()[0]
	return first&0xe0 == 0x20 || first&0xfe == 0xfc || a.IsLinkLocalUnicast() || nat64.Contains(a)
}

// sort puts spans in order, joins those that overlap, and leaves out those that touch what is spared.
func (e *eye) sort(s string, spans []span) []span {
	if len(spans) == 0 {
		return nil
	}
	var spared []span
	for _, w := range e.spared {
		for at := 0; ; {
			i := strings.Index(s[at:], w)
			if i < 0 {
				break
			}
			spared = append(spared, span{at + i, at + i + len(w)})
			at += i + len(w)
		}
	}
	spans = slices.DeleteFunc(spans, func(a span) bool {
		return slices.ContainsFunc(spared, func(b span) bool { return a.from < b.to && b.from < a.to })
	})
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	var out []span
	for _, a := range spans {
		if n := len(out); n > 0 && a.from < out[n-1].to {
			out[n-1].to = max(out[n-1].to, a.to)
			continue
		}
		out = append(out, a)
	}
	return out
}

// replace puts by in the place of spans, which are in order; of two that overlap, as an address in another one's zone
// does, the second is covered by the first's.
func replace(s string, spans []span, by string) string {
	var b strings.Builder
	at := 0
	for _, sp := range spans {
		if sp.from < at {
			at = max(at, sp.to)
			continue
		}
		b.WriteString(s[at:sp.from])
		b.WriteString(by)
		at = sp.to
	}
	b.WriteString(s[at:])
	return b.String()
}
