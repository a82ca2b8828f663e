package privacy

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/telltale-probe/telltale/measurements"
)

// leastName is the shortest name that is looked for. Shorter ones ("a", "pc1", "web") stand in too many words and
// hashes by chance, and name few people; a peer knows the machine's name only if the home's own router tells it.
// Chosen by us.
const leastName = 4

// ordinary are words that machines and routers are named by and that tell nobody anything, because thousands are:
// names that systems come with, and what error texts and our own records are made of. A test holds the list
// against both.
var ordinary = strings.Fields(`
	localhost localdomain raspberrypi raspberry openwrt debian ubuntu fedora archlinux alpine linux windows android macbook
	macbookpro macbookair imac iphone ipad desktop laptop notebook computer workstation server client router gateway modem
	firewall bridge switch repeater printer camera storage docker container host machine node master worker system default
	unknown none null test local home house office private public internal external lan wlan wifi internet network
	fritz.box fritzbox speedport easybox livebox freebox vodafone telekom
	telltale scrubbed probe netlab kernel demo catalogue trusted helper
	able accept accepted access accessible activity address allowed already alert algorithm application answer answers argument
	authenticated authority available attempt attempted
	because bind broken body bytes call cannot canceled cancelled certificate certificates chain cipher close closed code
	compatible complete connect connection context control could curve data date deadline decode denied deprecated descriptor
	destination device dial disabled domain down element empty enabled encrypted end ends error exceeded exchange exist exists expected
	expired extension failed failure fallback family file first flow forbidden forged form format frame from function handshake header
	here holds idle illegal image inappropriate incompatible initial input interface interrupted invalid issuer key keys
	large last layer length level line link list listen long look looks loopback lookup lost malformed match
	matches media memory message messages method mismatch missing mode more name names negotiation nonce none number
	offered offers open operation option other packet page parameter parse passes path payload peer permission ping pipe point
	policy port post primary prohibited proof protocol proves proxy query quic reached read reason receive received record
	refused refuses region remote reply request required reset resolve resolver resource response retry return root rotation
	route rule said says search second secure seen self send sent service session setting shape short signature signed site size skipped
	small some something socket space speak speaks spoken state stateless status step stopped stream string such support
	supported tail target temporarily terminated text than that their there this time timed timeout token transaction transport trial
	trying tunnel unable unavailable unexpected unhandled unreachable unspecified unsupported update upgrade upstream usage used user
	valid value verified verify version violation what where which with without word write written wrong zone
	x509 3des ecdhe aaaa head generic does wanted software requested recent permitted like intermediate found example dropped critical caused
	assign another abort aborted whatsapp turn stun stall residual penalty padded offline mtproto measured measure limits legy imposter
	identity hostname foreign extra domestic bundle budget abridged
`)

// generic are second-level labels under which others register: no home is known by com.br.
var generic = []string{"ac", "co", "com", "edu", "go", "gob", "gov", "mil", "ne", "net", "or", "org"}

// names makes needles of what this machine and the networks around it are called.
type names struct {
	known  map[string]bool // words of the configuration, in lower case
	labels map[string]bool // and what they are made of
	hosts  []string        // those of them that are names of hosts
}

func newNames(known []string) *names {
	n := &names{known: map[string]bool{}, labels: map[string]bool{}}
	for _, w := range known {
		w = lower(w)
		n.known[w] = true
		parts := strings.FieldsFunc(w, func(r rune) bool { return r > 0x7f || !isWord(byte(r)) })
		for _, p := range parts {
			n.labels[p] = true
		}
		if len(parts) > 1 {
			n.hosts = append(n.hosts, w)
		}
	}
	return n
}

// host gives the needles of the machine's own name: the name, and the domain that it may have.
func (n *names) host(name string) (out []needle) {
	first, domain, _ := strings.Cut(bare(name), ".")
	if n.tells(first) {
		out = append(out, needle{text: first})
	}
	return append(out, n.domain(domain)...)
}

// domain gives the needles of a domain of the home's: all names in it are.
func (n *names) domain(name string) []needle {
	if name = bare(name); !n.tellsDomain(name) {
		return nil
	}
	return []needle{{text: name, domain: true}}
}

// learnt gives the needles of a name that a box at home gives itself, whatever form it has.
func (n *names) learnt(name string) []needle {
	if name = bare(name); strings.Contains(name, ".") {
		return n.domain(name)
	}
	if !n.tells(name) {
		return nil
	}
	return []needle{{text: name}}
}

// bare is a name in lower case, without a last dot or a first star.
func bare(name string) string {
	return strings.Trim(strings.TrimPrefix(lower(name), "*."), ". \t")
}

// tells says whether a word names this home alone, as far as we can tell: it is long enough, has a letter, is no
// ordinary word, and nothing that the configuration speaks of.
func (n *names) tells(word string) bool {
	letter := strings.ContainsFunc(word, func(r rune) bool { return r > 0x7f || !isDigit(byte(r)) && isWord(byte(r)) })
	if len(word) < leastName || !letter || n.known[word] || n.labels[word] || slices.Contains(ordinary, word) {
		return false
	}
	return !slices.ContainsFunc(measurements.BlockPageWords(), func(w string) bool { return strings.Contains(lower(w), word) })
}

// tellsDomain is tells for a name with dots. One above or below a name of the configuration is not ours.
func (n *names) tellsDomain(d string) bool {
	labels := strings.Split(d, ".")
	if len(labels) < 2 || len(labels) == 2 && slices.Contains(generic, labels[0]) || slices.Contains(measurements.HomeNames(), d) {
		return false
	}
	if _, err := netip.ParseAddr(d); err == nil || strings.ContainsAny(d, "*/: ") || n.known[d] || slices.Contains(ordinary, d) {
		return false
	}
	if slices.ContainsFunc(measurements.BlockPageWords(), func(w string) bool { return strings.Contains(d, w) || strings.Contains(w, d) }) {
		return false
	}
	return !slices.ContainsFunc(n.hosts, func(h string) bool {
		return strings.HasSuffix(h, "."+d) || strings.HasSuffix(d, "."+h)
	})
}

// homeNeedles are the endings of names that lead into a home alone. Those that are words are ours only behind
// another; "home" and "internal" are too common in pages and their scripts to be looked for.
func homeNeedles() (out []needle) {
	for _, n := range measurements.HomeNames() {
		if n != "home" && n != "internal" {
			out = append(out, needle{text: n, domain: true, below: !strings.Contains(n, ".")})
		}
	}
	return out
}

// homeName says whether a name in lower case is, or ends with, one that leads into a home alone.
func homeName(name string) bool {
	return slices.ContainsFunc(measurements.HomeNames(), func(h string) bool { return name == h || strings.HasSuffix(name, "."+h) })
}

// boxes are domains below which the makers and hosters of home routers give each its own name.
//
// AVM, ASUS, TP-Link, Keenetic, Free, Synology, QNAP: their manuals; the others: lists of dynamic DNS in them.
var boxes = []string{
	"myfritz.net", "myfritz.link", "asuscomm.com", "tplinkdns.com", "keenetic.link", "keenetic.pro", "keenetic.name",
	"freeboxos.fr", "synology.me", "myqnapcloud.com", "duckdns.org", "dyndns.org", "ddns.net", "no-ip.org",
}

func boxNeedles() (out []needle) {
	for _, n := range boxes {
		out = append(out, needle{text: n, domain: true, below: true})
	}
	return out
}
