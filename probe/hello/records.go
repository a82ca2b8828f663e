package hello

// The record layer (RFC 8446, section 5.1).
const (
	recordHandshake = 22
	recordHeader    = 5
	recordMost      = 1 << 14 // bytes of plaintext in one record
)

// FromRecords gives the ClientHello that a TCP stream begins with, out of one or more TLS records. b is
// the stream up to now: complete is false while more of it is needed, and the caller then comes again
// with all of it. What follows the message is left alone.
//
// err says that the stream begins with no ClientHello, whatever may follow, as early as this can be
// known: ErrNotHello, ErrMalformed or ErrTooLong. A caller who stops at the first error or at complete
// never has to keep more than 6 × MaxMessage bytes, since every record carries at least one.
func FromRecords(b []byte) (msg []byte, complete bool, err error) {
	for len(b) > 0 {
		if b[0] != recordHandshake || len(b) > 1 && b[1] != 3 {
			return nil, false, notRecord(msg)
		}
		if len(b) < recordHeader {
			return nil, false, nil
		}
		length := int(b[3])<<8 | int(b[4])
		if length == 0 || length > recordMost { // empty handshake records are forbidden
			return nil, false, notRecord(msg)
		}
		// A record that is not all there counts as far as it goes: what is no hello is known early.
		body := b[recordHeader:]
		body = body[:min(length, len(body))]
		msg = append(msg, body...)
		size, err := messageSize(msg)
		if err != nil {
			return nil, false, err
		}
		if size > 0 && len(msg) >= size {
			return msg[:size:size], true, nil
		}
		b = b[recordHeader+len(body):]
		if len(body) < length {
			break
		}
	}
	return nil, false, nil
}

// notRecord names bytes that are no handshake record: at the start of the stream, or in the middle of
// a hello.
func notRecord(before []byte) error {
	if len(before) > 0 {
		return ErrMalformed
	}
	return ErrNotHello
}
