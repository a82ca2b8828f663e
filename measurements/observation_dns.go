package measurements

import "net/netip"

// SystemResolver is DNS.Resolver for the resolvers that the machine's own programs use: their
// addresses may be the home's own, and stay out of the record.
const SystemResolver = "system"

// DNS is what a resolve step saw.
type DNS struct {
	Resolver string `json:"resolver"` // "system", or the URL of a configured one
	// Behind: it is the one that a stub on this machine asks in turn, asked directly. The name was asked
	// of the stub as well, and that answer is what programs get.
	Behind    bool         `json:"behind,omitempty"`
	Class     string       `json:"class"`     // "home" (private or loopback address), "public", or "" when not known
	Transport string       `json:"transport"` // "udp", "tcp", "dot", "doh"
	Type      string       `json:"type"`      // "A" or "AAAA"
	Rcode     int          `json:"rcode"`     // -1 where no answer came
	Attempts  int          `json:"attempts"`  // UDP is asked up to three times
	Addresses []netip.Addr `json:"addresses,omitempty"`
	CNAMEs    []string     `json:"cnames,omitempty"`
	TTL       uint32       `json:"ttl"` // least TTL of the answers, seconds
	// Late holds the further answers to the same query (same id and question), in order of
	// arrival, until half a second after the first. Identical repeats are left out.
	Late []DNSAnswer `json:"late,omitempty"`
	Raw  []byte      `json:"raw,omitempty"` // the first answer's wire form; left out where it tells of the home
	// Identity is what the resolver calls itself (version.bind CH TXT, RFC 4892): it tells another
	// resolver behind the same address. Of one at home there is a mark alone, the same for the same name.
	Identity string `json:"identity,omitempty"`
	// Pinned is where this machine's hosts file leads the name, whatever a resolver says: a "loopback",
	// "private" or "public" address; "" where it has no entry. The address itself may be the home's.
	Pinned string `json:"pinned,omitempty"`
	// Further says what was changed in a further question to the resolver under test about a name for which it had
	// just failed: a word below; "" in the first question.
	Further string `json:"further,omitempty"`
	// Extended are the codes with which the resolver says why it failed (RFC 8914); none where it does not.
	Extended []int `json:"extended_errors,omitempty"`
	// Negative is how long, in seconds, a denial may be kept, by the SOA of a zone that the name belongs to
	// (RFC 2308, section 5); 0 where it came without one.
	Negative uint32 `json:"negative_ttl,omitempty"`
	// HopLimit is the IP hop limit (TTL) with which the first answer over UDP came; 0 where the platform
	// does not tell. One who answers in the resolver's place stands elsewhere (Anonymous et al., FOCI 2020).
	HopLimit int `json:"hop_limit,omitempty"`
}

// The words of DNS.Further.
const (
	AskedAgain     = "again"     // nothing but the time
	AskedUnchecked = "unchecked" // the resolver was asked not to validate (RFC 4035, section 3.2.2)
	AskedPatiently = "patiently" // longer than programs wait
)

// DNSAnswer is one further answer to a query that had one already.
type DNSAnswer struct {
	After     Seconds      `json:"after"` // after the query was sent
	HopLimit  int          `json:"hop_limit,omitempty"`
	Rcode     int          `json:"rcode"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
}
