package netlab

import (
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// firstOctets are those from which IPv4 blocks are invented: they look public, and none of them
// holds a reserved range, so that no check for bogons fires. Who has them in the real world is of no
// matter: nothing here leaves the process.
var firstOctets = []byte{23, 31, 37, 45, 51, 62, 77, 80, 85, 91, 93, 95, 130, 141, 146, 151, 157, 176, 185, 193}

// addressBook invents addresses. They follow from the names alone, so that two worlds of one
// catalogue agree: each operator has two IPv4 blocks of its own (a /16 each: a host has one address
// in either, hence no app lives in a single block) and an IPv6 /32. What a hash gives twice is moved
// to the next free place.
type addressBook struct {
	blocks map[[2]byte]string // which operator has the /16
	used   map[netip.Addr]bool
}

// newAddressBook keeps clear of the /16s of the addresses that the catalogue gives: an operator's
// ban must not hit an invented neighbour.
func newAddressBook(given []netip.Addr) *addressBook {
	b := &addressBook{blocks: make(map[[2]byte]string), used: make(map[netip.Addr]bool)}
	for _, a := range given {
		b.used[a] = true
		if a.Is4() {
			q := a.As4()
			b.blocks[[2]byte{q[0], q[1]}] = "given"
		}
	}
	return b
}

// addresses gives a host two IPv4 addresses and one IPv6 address: what the catalogue gives comes
// first, in its order, and what is missing is invented. Further ones of the catalogue are kept.
func (b *addressBook) addresses(host string, given []netip.Addr) []netip.Addr {
	var four, six []netip.Addr
	for _, a := range given {
		if a = a.Unmap(); a.Is4() {
			four = append(four, a)
		} else {
			six = append(six, a)
		}
	}
	for number := 0; len(four) < 2; number++ {
		four = append(four, b.inventIPv4(host, number))
	}
	if len(six) == 0 {
		six = append(six, b.inventIPv6(host))
	}
	return append(four, six...)
}

// inventIPv4 gives the host an address in its operator's first (0) or second (1) block, or, when a
// host moves (2 and on), another one in the first.
func (b *addressBook) inventIPv4(host string, number int) netip.Addr {
	block := b.block(operatorOf(host), number%2)
	for at := digest(host, number); ; at++ {
		// .0 and .255 are left out: they look like networks.
		a := netip.AddrFrom4([4]byte{block[0], block[1], byte(at >> 8), byte(1 + at%254)})
		if !b.used[a] {
			b.used[a] = true
			return a
		}
	}
}

func (b *addressBook) inventIPv6(host string) netip.Addr {
	network := digest(operatorOf(host), 6)
	for at := digest(host, 6); ; at++ {
		a := netip.AddrFrom16([16]byte{0x2a, 0x0b, byte(network >> 8), byte(network), 14: byte(at >> 8), 15: byte(at)})
		if !b.used[a] {
			b.used[a] = true
			return a
		}
	}
}

// block gives the operator's first or second /16.
func (b *addressBook) block(operator string, number int) [2]byte {
	owner := operator + "/" + string(rune('0'+number))
	for at := digest(operator, number); ; at++ {
		block := [2]byte{firstOctets[int(at>>8)%len(firstOctets)], byte(at)}
		switch b.blocks[block] {
		case "":
			b.blocks[block] = owner
			return block
		case owner:
			return block
		}
	}
}

// path is the link between the access line and a machine: a few milliseconds to what stands near, 5
// to 45 ms one way to the rest, the same for a whole block. Trouble on the way is its own alone.
func (m *machine) path() (netip.Prefix, Link) {
	var block netip.Prefix
	if m.address.Is4() {
		block = netip.PrefixFrom(m.address, 16).Masked()
	} else {
		block = netip.PrefixFrom(m.address, 32).Masked()
	}
	link := Link{Latency: 5*time.Millisecond + time.Duration(digest(block.String(), 0)%41)*time.Millisecond}
	if m.near {
		link.Latency = nearby
	}
	if t := m.trouble; t.slow {
		link.Latency, link.Rate, link.Loss = link.Latency+t.latency, t.rate, t.loss
	}
	return netip.PrefixFrom(m.address, m.address.BitLen()), link
}

// digest is a small stable number from a text; wide enough for two bytes of an address.
func digest(text string, number int) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte{byte(number)})
	_, _ = h.Write([]byte(text))
	sum := h.Sum32()
	return sum ^ sum>>16 // the low bits alone of an FNV hash follow the last letters too closely
}

// secondLevels are the labels below a country's domain under which others register.
var secondLevels = []string{"ac", "co", "com", "edu", "go", "gov", "ne", "net", "or", "org"}

// operatorOf gives the domain under which a name was registered: its last two labels, or three
// below one like co.jp. The real list of such suffixes is long; catalogues name few of them.
func operatorOf(name string) string {
	labels := strings.Split(strings.ToLower(strings.TrimSuffix(name, ".")), ".")
	keep := 2
	if n := len(labels); n > 2 && len(labels[n-1]) == 2 && slices.Contains(secondLevels, labels[n-2]) {
		keep = 3
	}
	return strings.Join(labels[max(0, len(labels)-keep):], ".")
}
