package app

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"
)

// stunID is the transaction of a message.
type stunID [12]byte

const (
	stunHeader = 20         // bytes (RFC 8489, section 5)
	stunCookie = 0x2112A442 // likewise

	// Types: the method Binding in each class (section 5).
	stunBindingRequest = 0x0001
	stunBindingSuccess = 0x0101
	stunBindingError   = 0x0111

	// Attributes (section 18.3).
	stunMappedAddress    = 0x0001
	stunErrorCode        = 0x0009
	stunXORMappedAddress = 0x0020
)

// appendSTUN writes a message.
func appendSTUN(b []byte, kind uint16, id stunID, attributes []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(attributes)))
	b = binary.BigEndian.AppendUint32(b, stunCookie)
	return append(append(b, id[:]...), attributes...)
}

// parseSTUN reads a message whose lengths and cookie are right; all of the datagram has to be one.
func parseSTUN(b []byte) (kind uint16, id stunID, attributes []byte, ok bool) {
	if len(b) < stunHeader || len(b)%4 != 0 || int(binary.BigEndian.Uint16(b[2:])) != len(b)-stunHeader ||
		binary.BigEndian.Uint32(b[4:]) != stunCookie {
		return 0, stunID{}, nil, false
	}
	return binary.BigEndian.Uint16(b), stunID(b[8:stunHeader]), b[stunHeader:], true
}

// stunAttributes gives the attributes in their order (section 14); the last one has the type 0, which
// none else has, where the bytes are not attributes to their end.
func stunAttributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) > 0 {
			kind, length := uint16(0), 0
			if len(b) >= 4 {
				kind, length = binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
			}
			padded := 4 + (length+3)&^3
			if kind == 0 || padded > len(b) {
				yield(0, nil)
				return
			}
			if !yield(kind, b[4:4+length]) {
				return
			}
			b = b[padded:]
		}
	}
}

// answeredBy gives the address that the answer to a binding request tells, or says why a datagram is not that
// answer; where it is one, the reason is empty, and the error is *Refused for an error response. Attributes that
// we don't know are no matter, though section 6.3.3 gives up for some of them: we use nothing else of what the
// answer says.
func (id stunID) answeredBy(b []byte) (mapped netip.Addr, reason string, err error) {
	kind, of, attributes, ok := parseSTUN(b)
	switch {
	case !ok:
		return mapped, "no STUN message", nil
	case of != id:
		return mapped, "a STUN message of another transaction", nil
	case kind != stunBindingSuccess && kind != stunBindingError:
		return mapped, "a STUN message that is no binding response", nil
	}
	code := 0
	for kind, value := range stunAttributes(attributes) {
		switch kind {
		case 0:
			return mapped, "a STUN message whose attributes are cut short", nil
		case stunMappedAddress, stunXORMappedAddress:
			if a := id.address(value, kind == stunXORMappedAddress); a.IsValid() {
				mapped = a
			}
		case stunErrorCode:
			if code == 0 {
				code = stunCode(value)
			}
		}
	}
	switch {
	case kind == stunBindingSuccess && !mapped.IsValid():
		return mapped, "a STUN success without an address", nil
	case kind == stunBindingSuccess:
		return mapped, "", nil
	case code == 0:
		return mapped, "a STUN error without a code", nil
	}
	return mapped, "", &Refused{Code: int32(code)}
}

// address reads the value of an attribute that tells an address (sections 14.1 and 14.2); invalid where it is none.
func (id stunID) address(value []byte, masked bool) netip.Addr {
	if !(len(value) == 8 && value[1] == 1 || len(value) == 20 && value[1] == 2) {
		return netip.Addr{}
	}
	b := slices.Clone(value[4:])
	if masked {
		mask := append(binary.BigEndian.AppendUint32(nil, stunCookie), id[:]...)
		for i := range b {
			b[i] ^= mask[i]
		}
	}
	a, _ := netip.AddrFromSlice(b)
	return a.Unmap()
}

// stunCode is the code of an ERROR-CODE, 300 to 699 (section 14.8); 0 where there is none.
func stunCode(b []byte) int {
	if len(b) < 4 || b[2]&7 < 3 || b[2]&7 > 6 || b[3] > 99 {
		return 0
	}
	return int(b[2]&7)*100 + int(b[3])
}

// ServeSTUN answers a datagram as a server of STUN does, for the emulated internet: a binding request
// with the address that it came from, and anything else with nil, which is silence. Attributes of the
// request are not looked at. RFC 8489, sections 6.3.1 and 14.2.
func ServeSTUN(packet []byte, from netip.AddrPort) []byte {
	kind, id, _, ok := parseSTUN(packet)
	if !ok || kind != stunBindingRequest {
		return nil
	}
	address := from.Addr().Unmap()
	value := []byte{0, 1}
	if address.Is6() {
		value[1] = 2
	}
	value = binary.BigEndian.AppendUint16(value, from.Port())
	value = append(value, address.AsSlice()...)
	mask := append(binary.BigEndian.AppendUint32(nil, stunCookie), id[:]...)
	value[2] ^= mask[0]
	value[3] ^= mask[1]
	for i := range value[4:] {
		value[4+i] ^= mask[i]
	}
	attribute := binary.BigEndian.AppendUint16(nil, stunXORMappedAddress)
	attribute = binary.BigEndian.AppendUint16(attribute, uint16(len(value)))
	return appendSTUN(nil, stunBindingSuccess, id, append(attribute, value...))
}
