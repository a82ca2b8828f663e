package privacy

import (
	"bytes"
	"net"
	"unicode/utf8"
)

// mostlyText is the share of printable bytes, in sixteenths, from which bytes are read as a text whatever their
// alphabet; records of TLS have fewer.
const mostlyText = 10

// blob is bytes without what is ours. A text is scrubbed as one; in other bytes zeros take the place of what is
// found, so that the rest stays where it was.
func (e *eye) blob(b []byte, binary [][]byte) []byte {
	if isText(b) {
		s := e.text(string(b))
		if s != string(b) {
			b = []byte(s)
		}
	} else if spans := e.inBlob(b); len(spans) > 0 {
		b = bytes.Clone(b)
		for _, sp := range spans {
			clear(b[sp.from:sp.to])
		}
	}
	for _, n := range binary {
		if bytes.Contains(b, n) {
			b = bytes.ReplaceAll(b, n, make([]byte, len(n)))
		}
	}
	return b
}

// inBlob finds texts in bytes that are none, and names whose parts stand behind their lengths, as in DNS.
func (e *eye) inBlob(b []byte) []span {
	shown := bytes.Clone(b)
	for i, c := range shown {
		if c <= ' ' || c > '~' {
			shown[i] = '.'
		}
	}
	return e.sort(string(b), e.plainSpans(string(shown), false))
}

// holds says whether bytes hold anything of ours.
func (e *eye) holds(b []byte, binary [][]byte) bool {
	if len(e.inBlob(b)) > 0 {
		return true
	}
	for _, n := range binary {
		if bytes.Contains(b, n) {
			return true
		}
	}
	return false
}

func isText(b []byte) bool {
	n := 0
	for _, c := range b {
		if c == 0 {
			return false
		}
		if c >= ' ' && c <= '~' || c == '\n' || c == '\r' || c == '\t' {
			n++
		}
	}
	return len(b) > 0 && (16*n >= mostlyText*len(b) || utf8.Valid(b))
}

// binary forms of what is ours: as it stands in packets and certificates.
func (a *addresses) binary(macs []net.HardwareAddr) (out [][]byte) {
	for x := range a.exact {
		out = append(out, x.AsSlice())
	}
	for _, h := range a.homes {
		b := h.Addr().As16()
		out = append(out, b[:homeBits/8])
	}
	for id := range a.eui {
		out = append(out, id[:])
	}
	for _, m := range macs {
		if len(m) == 6 && !isNobodys(m) {
			out = append(out, m)
		}
	}
	return out
}
