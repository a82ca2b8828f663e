package reference

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
)

// Helper is what a reference announces when its operator lets others make handshakes with it under any
// name (control X).
type Helper struct {
	// Addresses are where it answers, "ip:port", over TLS and over QUIC alike; the operator states them.
	Addresses []string `json:"addresses"`
	// Key is the one that it proves itself with (measurements.KeyOf): no authority vouches for a machine
	// that bears every name. Whoever shows another stands in between, and is told no target's name.
	Key string `json:"key"`
}

// MaxHelperAddresses bounds a helper's addresses. Chosen by us: both families, each over two lines.
const MaxHelperAddresses = 4

// ParseHelperAddress reads an address that a helper may announce: of a place that strangers can reach, so
// that nobody is sent into his own network by one. The documentation ranges (RFC 5737, RFC 3849) pass:
// in tests and laboratories public machines live there.
func ParseHelperAddress(text string) (netip.AddrPort, error) {
	ap, err := netip.ParseAddrPort(text)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%.60q is no address with a port", text)
	}
	a := ap.Addr().Unmap()
	switch {
	case ap.Port() == 0:
		return netip.AddrPort{}, fmt.Errorf("%.60q has no port", text)
	case a.Zone() != "", a.IsUnspecified(), a.IsLoopback(), a.IsPrivate(), a.IsMulticast(), a.IsLinkLocalUnicast(), shared.Contains(a), future.Contains(a):
		return netip.AddrPort{}, fmt.Errorf("%.60q is no public address", text)
	}
	return netip.AddrPortFrom(a, ap.Port()), nil
}

var (
	shared = netip.MustParsePrefix("100.64.0.0/10") // between a provider and its customers: RFC 6598
	future = netip.MustParsePrefix("240.0.0.0/4")   // reserved, and the broadcast address: RFC 1112, section 4
)

var errHelperKey = errors.New("the helper's key is no SHA-256 in base64")

// check refuses what no helper announces.
func (h *Helper) check() error {
	switch {
	case h == nil:
		return nil
	case len(h.Addresses) == 0 || len(h.Addresses) > MaxHelperAddresses:
		return fmt.Errorf("the helper has %d addresses, not 1 to %d", len(h.Addresses), MaxHelperAddresses)
	}
	for _, text := range h.Addresses {
		if _, err := ParseHelperAddress(text); err != nil {
			return fmt.Errorf("helper: %w", err)
		}
	}
	if sum, err := base64.StdEncoding.DecodeString(h.Key); err != nil || len(sum) != sha256.Size {
		return errHelperKey
	}
	return nil
}
