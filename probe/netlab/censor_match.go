package netlab

import (
	"encoding/hex"
	mathbits "math/bits"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// suits says whether what the rule does can be done to such a packet at all. What can't is no case for
// the rule: it neither fires nor keeps others from it.
func (r *Rule) suits(transport string, e event) bool {
	if e.protocol == Certificate {
		return r.Action == Drop || r.Action == Reset
	}
	switch r.Action {
	case AcceptReset, AcceptClose:
		return e.protocol == TCP
	case Close, AlertAction, Page, Intercept, Imposter:
		return transport == "tcp" && e.protocol != TCP
	case Cut, CutReset, CutClose:
		return transport == "tcp"
	case DNSForge, DNSNXDomain, DNSServfail, DNSRefused, DNSEmpty:
		return e.query != nil
	case DNSRedirect:
		return e.query != nil && transport == "udp" && len(r.Answer) > 0
	case QUICVersion, QUICClose:
		return e.protocol == QUIC
	}
	return true
}

func (r *Rule) matches(f *flow, e event, since time.Duration) bool {
	switch {
	case since < r.From && r.Action != Lose || r.Until > 0 && since >= r.Until: // a flow that is begun before a loss meets it later
		return false
	case !r.sees(e):
		return false
	case len(r.Ports) > 0 && !slices.Contains(r.Ports, f.to.Port()):
		return false
	case r.Family == "ipv4" && !f.to.Addr().Is4(), r.Family == "ipv6" && f.to.Addr().Is4():
		return false
	case !r.fitsFirst(e.first):
		return false
	case r.Shape == "small" && e.large, r.Shape == "large" && !e.large:
		return false
	case len(r.Addresses) > 0 && !slices.ContainsFunc(r.Addresses, func(p netip.Prefix) bool { return p.Contains(f.to.Addr()) }):
		return false
	case slices.ContainsFunc(r.Spares, func(p netip.Prefix) bool { return p.Contains(f.to.Addr()) }):
		return false
	case e.name != "" && r.oneOf(r.SparesNames, e.name):
		return false
	}
	return len(r.Names) == 0 || e.name != "" && r.oneOf(r.Names, e.name)
}

// fitsFirst says whether the first bytes of a stream are those that the rule looks for.
func (r *Rule) fitsFirst(first []byte) bool {
	begins := func(prefix string) bool { return strings.HasPrefix(hex.EncodeToString(first), prefix) }
	return (len(r.Prefixes) == 0 || slices.ContainsFunc(r.Prefixes, begins)) && (!r.Random || looksRandom(first))
}

// looksRandom is the Great Firewall's test for fully encrypted traffic, as far as it matters here: about as
// many bits are set as are not, and the text is not printable (Wu et al., USENIX Security 2023, Ex1 to Ex4).
func looksRandom(first []byte) bool {
	set, printable, run := 0, 0, 0
	longest := 0
	for i, c := range first {
		set += mathbits.OnesCount8(c)
		if c >= 0x20 && c <= 0x7e {
			printable++
			run++
		} else {
			run = 0
		}
		longest = max(longest, run)
		if i == 5 && run == 6 {
			return false
		}
	}
	perByte := float64(set) / float64(max(len(first), 1))
	return perByte > 3.4 && perByte < 4.6 && printable*2 <= len(first) && longest <= 20
}

// sees says whether the rule looks at packets of this kind.
func (r *Rule) sees(e event) bool {
	if r.Protocol == Any {
		return len(r.Names) == 0 && (e.protocol == TCP || e.protocol == UDP) || len(r.Names) > 0 && e.name != ""
	}
	return r.Protocol == e.protocol || r.Protocol == Clear && (e.protocol == Other || e.protocol == HTTP)
}

// oneOf says whether a name fits one of the patterns.
func (r *Rule) oneOf(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		switch {
		case pattern == "*":
			return true
		case r.Substring:
			return strings.Contains(name, strings.TrimPrefix(pattern, "."))
		case strings.HasPrefix(pattern, "."):
			return strings.HasSuffix(name, pattern) || name == pattern[1:]
		}
		return name == pattern
	})
}
