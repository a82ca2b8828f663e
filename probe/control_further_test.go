package probe

import (
	"slices"
	"testing"

	"github.com/miekg/dns"
)

// A question that is not to be validated has the bit CD and no other difference; what a resolver says of why it
// failed is read, and bounded.
func TestUncheckedAndExtended(t *testing.T) {
	t.Parallel()
	plain := question{name: site, kind: dns.TypeA, class: dns.ClassINET}
	unchecked := plain
	unchecked.unchecked = true
	query, other := must(plain.pack(7, true)), must(unchecked.pack(7, true))
	if query[3]&0x10 != 0 || other[3] != query[3]|0x10 { // RFC 4035, section 4.9.1
		t.Errorf("flags %#x and %#x", query[3], other[3])
	}
	m := reply(query, dns.RcodeServerFailure)
	m.SetEdns0(ednsSize, false)
	opt := m.IsEdns0()
	for _, code := range []uint16{22, 6, 23, 15, 1} {
		opt.Option = append(opt.Option, &dns.EDNS0_EDE{InfoCode: code, ExtraText: "because"})
	}
	if a, err := plain.read(7, packed(m)); err != nil || !slices.Equal(a.extended, []int{22, 6, 23, 15}) {
		t.Errorf("read %v, %v", a.extended, err)
	}
}
