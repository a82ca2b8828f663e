package measurements

// HopScan says how far from home a handshake with a name meets its fate: hellos with the target's name
// and with a neutral one are sent with a growing hop limit (IP TTL, RFC 791 section 3.2; RFC 8200,
// section 3), until one of the target's dies that has not expired on its way. It holds counts of hops
// and no address: a router's address tells where the volunteer lives.
//
// Method: CenTrace (Raman et al., Network Measurement Methods for Locating and Examining Censorship
// Devices, CoNEXT 2022); OONI's tlsmiddlebox. Without privileges, as Linux gives it.
type HopScan struct {
	Target   string  `json:"target"`
	Endpoint string  `json:"endpoint"`
	Family   Family  `json:"ip_family"`
	Name     string  `json:"name"`
	Failure  Failure `json:"failure,omitempty"` // what the target's hello met; "" where it met nothing
	// Dies is the least hop limit with which the target's hello met it; 0 where none did. A filter
	// between two routers shows at the farther one, and so does a router that filters what it forwards.
	Dies int `json:"dies"`
	// Server is the least hop limit with which the neutral hello was answered; 0 where none was.
	Server int `json:"server"`
	// Home counts the first routers whose addresses are private (RFC 1918, RFC 4193) or link-local, and
	// Access those behind them in the shared space of carriers (RFC 6598). 0 also where they kept silent.
	Home   int `json:"home"`
	Access int `json:"access"`
	// Unsupported says why there is no scan, where there is none.
	Unsupported string `json:"unsupported,omitempty"`
}

// Scopes of a finding (DESIGN section 2): evidence about the hop alone.
const (
	ScopeHome    = "home"
	ScopeAccess  = "access"
	ScopeBeyond  = "beyond"
	ScopeUnknown = "unknown"
)

// accessHops is how many routers behind the home's are taken for the volunteer's own provider where
// none of them says so. Chosen by us, and cautiously: what lies farther is "beyond".
const accessHops = 3

// Scope reads the scan. A filter that shows at hop n stands at the router n-1 or on the wire behind it.
func (s *HopScan) Scope() string {
	switch {
	case s.Dies == 0 || s.Home == 0:
		return ScopeUnknown
	case s.Dies <= s.Home:
		return ScopeHome
	case s.Dies == s.Home+1:
		return ScopeUnknown // the home's last router as it forwards, or the wire behind it
	case s.Server > 0 && s.Dies >= s.Server:
		return ScopeUnknown // the server's own doing can't be told from a filter before it
	case s.Dies <= s.Home+max(s.Access, accessHops)+1:
		return ScopeAccess
	}
	return ScopeBeyond
}
