package hello

import (
	"bytes"
	"errors"
)

// ErrNotInitial means that a datagram is not the start of a QUIC connection that we can read: no
// Initial of version 1 or 2, or one that its own keys do not open.
var ErrNotInitial = errors.New("hello: not a client's QUIC Initial")

// InitialReader reads a ClientHello out of the datagrams that one client sends, as they pass. The
// zero value is ready. It keeps at most MaxMessage bytes of the handshake, and is not safe for
// concurrent use.
//
// All Initial packets of a connection are protected with keys from the Destination Connection ID of the
// client's first one, also those that carry the id that the server chose later (RFC 9001, section 5.2).
// A Retry alone changes them: the client begins anew, with a token.
type InitialReader struct {
	version uint32
	dcid    []byte // the keys are derived from
	keys    *keys  // nil before the first Initial
	largest int64  // packet number
	stream  stream
	hello   []byte
	failed  error
}

// Add reads one datagram. done says that hello is the whole handshake message; it then stays so,
// whatever is added. Until then hello is nil.
//
// err is ErrNotInitial while no Initial has been read: the reader can go on with the next datagram. Once
// one has been, packets that say nothing (of other kinds, repeated, damaged, forged) are skipped
// without an error, and an error says that what the client sends is no ClientHello, for good.
func (r *InitialReader) Add(datagram []byte) (hello []byte, done bool, err error) {
	if r.hello != nil || r.failed != nil {
		return r.hello, r.hello != nil, r.failed
	}
	for rest := datagram; len(rest) > 0; {
		p, after, ok := nextPacket(rest)
		if !ok {
			break
		}
		rest = after
		if p.initial {
			r.read(p)
		}
	}
	if r.keys == nil {
		return nil, false, ErrNotInitial
	}
	msg, done, err := r.stream.message()
	switch {
	case err != nil:
		r.failed = err
		return nil, false, err
	case done:
		r.hello = msg
		r.stream = stream{}
	}
	return msg, done, nil
}

// read opens one Initial and adds what it carries to the stream.
func (r *InitialReader) read(p packet) {
	payload, number, err := r.open(p)
	if err != nil {
		return
	}
	frames, ok := cryptoFrames(payload)
	if !ok {
		return
	}
	r.largest = max(r.largest, number)
	for _, f := range frames {
		r.stream.add(f)
	}
}

// open tries the keys that we have, and then those of the packet's own id: it may be the first, or the
// first after a Retry, which repeats the hello from its start (RFC 9000, section 17.2.5.2).
func (r *InitialReader) open(p packet) (payload []byte, number int64, err error) {
	if r.keys != nil && p.version == r.version {
		payload, number, err = r.keys.open(p, r.largest)
		if err == nil {
			return payload, number, nil
		}
	}
	if r.keys != nil && (len(p.token) == 0 || bytes.Equal(p.dcid, r.dcid)) {
		return nil, 0, errPacket
	}
	k, err := initialKeys(p.version, p.dcid, client)
	if err != nil {
		return nil, 0, err
	}
	payload, number, err = k.open(p, -1)
	if err != nil {
		return nil, 0, err
	}
	*r = InitialReader{version: p.version, dcid: bytes.Clone(p.dcid), keys: k, largest: -1}
	return payload, number, nil
}

// FromDatagrams gives the ClientHello out of the datagrams that a client sent first, in the order of
// sending; datagrams and packets of other kinds between them are skipped. It fails with ErrNotInitial
// where no Initial can be read, with ErrIncomplete where the end is missing, and else as Parse does.
func FromDatagrams(datagrams [][]byte) ([]byte, error) {
	var r InitialReader
	last := ErrNotInitial
	for _, d := range datagrams {
		hello, done, err := r.Add(d)
		if done {
			return hello, nil
		}
		last = err
	}
	if last == nil {
		last = ErrIncomplete
	}
	return nil, last
}
