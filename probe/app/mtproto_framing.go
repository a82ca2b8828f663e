package app

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
)

// framing carries packets over a connection.
type framing interface {
	send(packet []byte) error
	receive() ([]byte, error)
}

// The tags that begin a connection, and, for obfuscated2, stand inside its header.
const (
	tagAbridged     = 0xef
	tagIntermediate = 0xee
	tagPadded       = 0xdd
)

// mostPacket is a packet's greatest length. Chosen by us: the answers have less than 700 bytes.
const mostPacket = 1500

// newFraming is a client's.
func newFraming(t Transport, conn net.Conn, in MTProtoInput) framing {
	// Read as it comes, and not by what a length says: what is no packet is evidence.
	whole := struct {
		io.Reader
		io.Writer
	}{bufio.NewReaderSize(conn, mostPacket), conn}
	switch t {
	case Intermediate:
		return &lengths{conn: whole, greeting: bytes.Repeat([]byte{tagIntermediate}, 4)}
	case PaddedIntermediate:
		return &lengths{conn: whole, greeting: bytes.Repeat([]byte{tagPadded}, 4), pads: true}
	case OverHTTP:
		return &posts{conn: conn, in: bufio.NewReaderSize(conn, readAhead), host: in.Host}
	case Obfuscated:
		return &lengths{conn: obfuscate(conn, in.DC), pads: true}
	}
	return &abridged{conn: whole, greeting: []byte{tagAbridged}}
}

// random fills b.
func random(b []byte) { _, _ = rand.Read(b) } // never fails (crypto/rand, since Go 1.24)

// abridged is a length in words: one byte below 0x7f, else that and three.
type abridged struct {
	conn     io.ReadWriter
	greeting []byte // sent before the first packet, with it
}

func (f *abridged) send(packet []byte) error {
	b := append([]byte(nil), f.greeting...)
	f.greeting = nil
	if n := len(packet) / 4; n < 0x7f {
		b = append(b, byte(n))
	} else {
		b = append(b, 0x7f, byte(n), byte(n>>8), byte(n>>16))
	}
	_, err := f.conn.Write(append(b, packet...))
	return err
}

func (f *abridged) receive() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(f.conn, head[:1]); err != nil {
		return nil, err
	}
	n := int(head[0])
	if n == 0x7f {
		if _, err := io.ReadFull(f.conn, head[1:]); err != nil {
			return nil, cut(err)
		}
		n = int(head[1]) | int(head[2])<<8 | int(head[3])<<16
	} else if n > 0x7f {
		return nil, &NotSpoken{Reason: "a first byte that no abridged packet has"}
	}
	return readPacket(f.conn, 4*n)
}

// lengths is a length in bytes, of four bytes.
type lengths struct {
	conn     io.ReadWriter
	greeting []byte
	pads     bool // up to 15 bytes of chance stand behind each packet
}

func (f *lengths) send(packet []byte) error {
	var padding []byte
	if f.pads {
		var n [1]byte
		random(n[:])
		padding = make([]byte, n[0]%(mostPadding+1))
		random(padding)
	}
	b := append([]byte(nil), f.greeting...)
	f.greeting = nil
	b = binary.LittleEndian.AppendUint32(b, uint32(len(packet)+len(padding)))
	b = append(b, packet...)
	_, err := f.conn.Write(append(b, padding...))
	return err
}

func (f *lengths) receive() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(f.conn, head[:]); err != nil {
		return nil, err
	}
	packet, err := readPacket(f.conn, int(min(binary.LittleEndian.Uint32(head[:]), 1<<30)))
	// An error is a number alone; where packets are padded, no message is as short as one with padding.
	if err == nil && f.pads && len(packet) > 4 && len(packet) <= 4+mostPadding {
		packet = packet[:4]
	}
	return packet, err
}

func readPacket(conn io.Reader, n int) ([]byte, error) {
	if n < 4 || n > mostPacket {
		return nil, &NotSpoken{Reason: fmt.Sprintf("a packet of %d bytes", n)}
	}
	packet := make([]byte, n)
	_, err := io.ReadFull(conn, packet)
	return packet, cut(err)
}

// transportErrors are those of MTProto's transport that are documented; over HTTP they are its statuses. Anybody's
// proxy has the first two as well, so that they prove nothing.
// core.telegram.org/mtproto/mtproto-transports#transport-errors.
var transportErrors = []int{http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests, 444}

// posts is a packet in the body of a request, and one in that of the answer (HTTP/1.1, in clear).
type posts struct {
	conn net.Conn
	in   *bufio.Reader
	host string
}

func (f *posts) send(packet []byte) error {
	head := "POST /api HTTP/1.1\r\nHost: " + f.host + "\r\nContent-Length: " + strconv.Itoa(len(packet)) + "\r\nConnection: keep-alive\r\n\r\n"
	_, err := f.conn.Write(append([]byte(head), packet...))
	return err
}

// because is what an answer without a head means.
func (f *posts) because(err error) error {
	if t, ok := f.conn.(*tap); ok {
		return t.because("no HTTP answer", "HTTP/")
	}
	return err
}

func (f *posts) receive() ([]byte, error) {
	status, err := peekStatus(f.in)
	switch {
	case err != nil:
		return nil, f.because(err)
	case slices.Contains(transportErrors, status):
		return nil, &Refused{Code: -int32(status)} // three digits; what comes behind them is not wanted
	case status != http.StatusOK:
		return nil, &NotSpoken{Reason: fmt.Sprintf("HTTP status %d", status)}
	}
	answer, err := http.ReadResponse(f.in, &http.Request{Method: http.MethodPost})
	if err != nil {
		return nil, f.because(err)
	}
	defer answer.Body.Close()
	packet, err := io.ReadAll(io.LimitReader(answer.Body, mostPacket+1))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, err
	case err != nil:
		return nil, err
	case len(packet) < 4 || len(packet) > mostPacket:
		return nil, &NotSpoken{Reason: fmt.Sprintf("an HTTP answer of %d bytes", len(packet))}
	}
	return packet, nil
}
