package catalogue

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/telltale-probe/telltale/config/strict"
	"github.com/telltale-probe/telltale/probe"
)

func hosts(t *strict.Table) []string {
	out := t.Strings("hosts", maxEndpoints)
	if one := t.String("host", ""); one != "" {
		if len(out) > 0 {
			t.Fail("host", "give host or hosts, not both")
		}
		out = []string{one}
	}
	for _, h := range out {
		if !ValidHost(h) {
			t.Fail("host", "%q is no host name in lower case", h)
		}
	}
	return out
}

// roots reads the key "root_ca": the app's own authorities, as PEM in the file itself, so that a catalogue
// stays one file.
func roots(t *strict.Table) []*x509.Certificate {
	var out []*x509.Certificate
	for rest := []byte(t.String("root_ca", "")); len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil || block.Type != "CERTIFICATE" {
			t.Fail("root_ca", "must be certificates in PEM, and nothing else")
			return nil
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !c.IsCA {
			t.Fail("root_ca", "certificate %d can't be read, or is no authority's", len(out)+1)
			return nil
		}
		if out = append(out, c); len(out) > maxRoots {
			t.Fail("root_ca", "must hold at most %d certificates", maxRoots)
			return nil
		}
	}
	return out
}

// maxPath bounds a path in bytes. Chosen by us: those of apps have a few dozen.
const maxPath = 2048

// CheckPath notes what is wrong with the key "path" of a table. It goes into the first line of a request as it is (RFC
// 9112, section 3.2.1): what could end that line there would write fields of its own.
func CheckPath(t *strict.Table, path string) {
	_, err := url.ParseRequestURI(path)
	switch {
	case !strings.HasPrefix(path, "/"):
		t.Fail("path", "must begin with /")
	case err != nil, len(path) > maxPath, strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		t.Fail("path", "must be at most %d bytes of ASCII, without spaces and control characters, as a request has it", maxPath)
	}
}

// Addresses reads the key "addresses" of a table.
func Addresses(t *strict.Table) []netip.Addr {
	var out []netip.Addr
	for _, text := range t.Strings("addresses", maxEndpoints) {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			t.Fail("addresses", "%q is no IP address", text)
			continue
		}
		out = append(out, a.Unmap())
	}
	return out
}

func ports(t *strict.Table) []uint16 {
	in := t.Ints("ports", maxPorts)
	if t.Has("port") {
		if len(in) > 0 {
			t.Fail("port", "give port or ports, not both")
		}
		in = []int64{t.Int("port", 443, 1, 65535)}
	} else {
		t.Int("port", 443, 1, 65535)
	}
	if len(in) == 0 {
		in = []int64{443}
	}
	var out []uint16
	for _, p := range in {
		if p < 1 || p > 65535 {
			t.Fail("ports", "must be between 1 and 65535")
			continue
		}
		out = append(out, uint16(p))
	}
	return out
}

// Probes reads the key "probes" of a table; "https" where it is missing.
func Probes(t *strict.Table, allowed []probe.Probe) []probe.Probe {
	in := t.Strings("probes", len(allowed))
	if len(in) == 0 {
		if t.Has("probes") {
			t.Fail("probes", "must name at least one of %v", allowed)
		}
		in = []string{string(probe.ProbeHTTPS)}
	}
	var out []probe.Probe
	for _, p := range in {
		if !slices.Contains(allowed, probe.Probe(p)) {
			t.Fail("probes", "%q is not one of %v", p, allowed)
			continue
		}
		out = append(out, probe.Probe(p))
	}
	return out
}
