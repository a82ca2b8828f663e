package app

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Opcodes, and the status of a close frame that has none (RFC 6455, sections 5.2 and 7.1.5).
const (
	opContinuation = 0x0
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
	noStatus       = 1005
)

// mostOfControl is the longest payload of a control frame (section 5.5).
const mostOfControl = 125

// wsFrame is the header of a WebSocket frame (section 5.2).
type wsFrame struct {
	final  bool
	opcode byte
	masked bool
	mask   [4]byte
	length uint64
}

// errWSFrame is a header that section 5.2 forbids, or that is too long for us.
type errWSFrame string

func (e errWSFrame) Error() string { return string(e) }

// readWSFrame reads one header, and nothing of the payload. What is forbidden is an errWSFrame.
func readWSFrame(r *bufio.Reader) (f wsFrame, err error) {
	var b [8]byte
	if _, err = io.ReadFull(r, b[:2]); err != nil {
		return wsFrame{}, err
	}
	f = wsFrame{final: b[0]&0x80 != 0, opcode: b[0] & 0x0f, masked: b[1]&0x80 != 0, length: uint64(b[1] & 0x7f)}
	switch {
	case b[0]&0x70 != 0:
		return wsFrame{}, errWSFrame("a WebSocket frame with reserved bits")
	case f.opcode >= opClose && (f.length > mostOfControl || !f.final):
		return wsFrame{}, errWSFrame("a WebSocket control frame that is long or in parts")
	}
	short := f.length
	switch short {
	case 126:
		_, err = io.ReadFull(r, b[:2])
		f.length = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		_, err = io.ReadFull(r, b[:8])
		f.length = binary.BigEndian.Uint64(b[:])
	}
	if err == nil && f.masked {
		_, err = io.ReadFull(r, f.mask[:])
	}
	switch {
	case err != nil:
		return wsFrame{}, cut(err)
	case short == 126 && f.length < 126, short == 127 && f.length < 1<<16:
		return wsFrame{}, errWSFrame("a WebSocket frame whose length is not written in the shortest way")
	case f.length > mostOfWebSocket:
		return wsFrame{}, errWSFrame(fmt.Sprintf("a WebSocket frame of %d bytes", f.length))
	}
	return f, nil
}

// cut is the error of a read that must not meet the end.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// appendWSFrame writes a final frame. A client's is masked (section 5.3).
func appendWSFrame(b []byte, opcode byte, payload []byte, masked bool) []byte {
	f := wsFrame{masked: masked}
	b = append(b, 0x80|opcode)
	var bit byte
	if masked {
		bit = 0x80
		_, _ = rand.Read(f.mask[:]) // never fails
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, bit|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, bit|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, bit|127), uint64(n))
	}
	if masked {
		b = append(b, f.mask[:]...)
	}
	start := len(b)
	b = append(b, payload...)
	f.unmask(b[start:], 0)
	return b
}

// unmask masks or unmasks a part of the payload that begins at this offset.
func (f *wsFrame) unmask(part []byte, offset uint64) {
	if !f.masked {
		return
	}
	for i := range part {
		part[i] ^= f.mask[(offset+uint64(i))%4]
	}
}

// Write sends one binary message in one frame.
func (w *WebSocket) Write(p []byte) (int, error) {
	if err := w.send(opBinary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *WebSocket) send(opcode byte, payload []byte) error {
	_, err := w.Conn.Write(appendWSFrame(nil, opcode, payload, w.client))
	return err
}

// Read gives bytes of binary messages; where one message ends and the next begins is not told.
func (w *WebSocket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for w.left == 0 {
		if err := w.next(); err != nil {
			return 0, w.told(err)
		}
	}
	n, err := w.in.Read(p[:min(w.left, uint64(len(p)))])
	w.frame.unmask(p[:n], w.frame.length-w.left)
	w.left -= uint64(n)
	if err != nil && w.left > 0 {
		return n, cut(err)
	}
	return n, nil
}

// told turns a forbidden frame into an answer that is not the app's. The bytes that are kept are not
// those of the HTTP answer, which was fine: there are none.
func (w *WebSocket) told(err error) error {
	if forbidden, ok := errors.AsType[errWSFrame](err); ok {
		return &NotSpoken{Reason: string(forbidden)}
	}
	return err
}

// next goes to the next frame of data, and sees to the control frames before it.
func (w *WebSocket) next() error {
	f, err := readWSFrame(w.in)
	if err != nil {
		return err
	}
	switch {
	case f.masked == w.client: // section 5.1: clients mask, servers don't
		return errWSFrame("a WebSocket frame that is masked by the wrong side")
	case f.opcode >= opClose:
		return w.control(f)
	case f.opcode != opBinary && f.opcode != opContinuation:
		return errWSFrame("a WebSocket message that is not binary")
	case (f.opcode == opContinuation) != w.inside:
		return errWSFrame("a WebSocket frame that is out of order")
	}
	w.inside = !f.final
	w.frame, w.left = f, f.length
	return nil
}

// control answers a ping and a close (section 5.5).
func (w *WebSocket) control(f wsFrame) error {
	var b [mostOfControl]byte
	payload := b[:f.length]
	if _, err := io.ReadFull(w.in, payload); err != nil {
		return cut(err)
	}
	f.unmask(payload, 0)
	switch f.opcode {
	case opPing:
		return w.send(opPong, payload)
	case opPong:
		return nil // nobody asked, which is allowed
	case opClose:
		code := int32(noStatus)
		if len(payload) >= 2 {
			code = int32(binary.BigEndian.Uint16(payload))
		}
		_ = w.send(opClose, payload[:min(2, len(payload))])
		return &Refused{Code: code}
	}
	return errWSFrame("a WebSocket control frame that nobody knows")
}
