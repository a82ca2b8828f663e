package app

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"
)

// STUN's numbers. RFC 8489, sections 5, 6, 14 and 18.
const (
	stunBinding   = 0x0001
	stunSuccess   = 0x0101
	stunError     = 0x0111
	stunCookie    = 0x2112a442
	stunHeader    = 20
	stunErrorCode = 0x0009
	stunMapped    = 0x0020 // XOR-MAPPED-ADDRESS
)

// The request is sent again after half a second, and then after twice as long each time (section 6.2.1, where
// RTO is 500 ms at least, and Rc is 7); ctx ends it.
const (
	stunAgain = 500 * time.Millisecond
	stunMost  = 7
	// stunAnswers are looked at: a flood of other datagrams must not keep us busy. Chosen by us.
	stunAnswers = 64
	// stunDatagram is the longest that is read. Chosen by us: answers have some 100 bytes.
	stunDatagram = 1500
)

// STUNAnswer is what a server said; the address that it sees us under is not kept.
type STUNAnswer struct {
	Requests       int // sent in all
	Sent, Received int // bytes
}

// STUN measures whether a STUN server answers a binding request on a connected UDP socket, as calls begin with.
//
// It fails with *Refused where the server answers with an error, and with the socket's own error otherwise:
// refused by ICMP, or a timeout where nothing came that answers the request. Other datagrams are passed over.
// The caller closes conn; it has no deadline afterwards. RFC 8489, sections 6 and 7.
func STUN(ctx context.Context, conn net.Conn) (a STUNAnswer, err error) {
	defer obey(ctx, conn)()
	request, buffer := stunRequest(), make([]byte, stunDatagram)
	next, wait, others := time.Now(), stunAgain, 0
	for {
		if a.Requests < stunMost && !time.Now().Before(next) {
			n, err := conn.Write(request)
			if err != nil {
				return a, err
			}
			a.Requests, a.Sent = a.Requests+1, a.Sent+n
			next, wait = next.Add(wait), 2*wait
		}
		_ = conn.SetReadDeadline(next)
		if err := ctx.Err(); err != nil { // asked after setting: ctx sets the deadline, too
			return a, err
		}
		n, err := conn.Read(buffer)
		a.Received += n
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return a, err
		}
		if n == 0 {
			if a.Requests == stunMost && !time.Now().Before(next) {
				return a, os.ErrDeadlineExceeded
			}
			continue
		}
		switch answered, code := stunAnswer(buffer[:n], request); {
		case answered && code != 0:
			return a, &Refused{Code: int32(code)}
		case answered:
			return a, nil
		}
		if others++; others > stunAnswers {
			return a, &NotSpoken{Reason: "datagrams that answer no request", FirstBytes: bytes.Clone(buffer[:min(n, keptOfAnswer)])}
		}
	}
}

// stunRequest is a binding request without attributes; nothing in it tells who asks.
func stunRequest() []byte {
	b := binary.BigEndian.AppendUint16(nil, stunBinding)
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint32(b, stunCookie)
	var id [12]byte
	random(id[:])
	return append(b, id[:]...)
}

// stunAnswer says whether a datagram answers the request, and with which error; 0 is none.
func stunAnswer(b, request []byte) (ok bool, code int) {
	if len(b) < stunHeader || int(binary.BigEndian.Uint16(b[2:])) != len(b)-stunHeader || !bytes.Equal(b[4:stunHeader], request[4:]) {
		return false, 0
	}
	switch binary.BigEndian.Uint16(b) {
	case stunSuccess:
		return true, 0
	case stunError:
		return true, stunCode(b[stunHeader:])
	}
	return false, 0
}

// stunCode gives the number in an error's attribute (section 14.8); 500 where there is none that can be read.
func stunCode(attributes []byte) int {
	const unreadable = 500
	for len(attributes) >= 4 {
		kind, n := binary.BigEndian.Uint16(attributes), int(binary.BigEndian.Uint16(attributes[2:]))
		attributes = attributes[4:]
		if n > len(attributes) {
			return unreadable
		}
		if class := 0; kind == stunErrorCode && n >= 4 {
			if class = int(attributes[2] & 7); class >= 3 && class <= 6 && attributes[3] < 100 {
				return 100*class + int(attributes[3])
			}
			return unreadable
		}
		attributes = attributes[min((n+3)&^3, len(attributes)):]
	}
	return unreadable
}

// AnswerSTUN is what a server of the emulated internet answers to a datagram; nil where that is no request.
func AnswerSTUN(request []byte, from netip.AddrPort) []byte {
	if len(request) < stunHeader || binary.BigEndian.Uint16(request) != stunBinding || binary.BigEndian.Uint32(request[4:]) != stunCookie {
		return nil
	}
	address := from.Addr().Unmap().AsSlice()
	for i := range address {
		address[i] ^= request[4+i] // section 14.2: the cookie, then the transaction
	}
	family := byte(1)
	if len(address) == 16 {
		family = 2
	}
	value := append([]byte{0, family}, byte(from.Port()>>8)^0x21, byte(from.Port())^0x12)
	value = append(value, address...)
	b := binary.BigEndian.AppendUint16(nil, stunSuccess)
	b = binary.BigEndian.AppendUint16(b, uint16(4+len(value)))
	b = append(b, request[4:stunHeader]...)
	b = binary.BigEndian.AppendUint16(b, stunMapped)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}
