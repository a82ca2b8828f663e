package hello

// The frames that an Initial may carry (RFC 9000, section 12.4, table 3).
const (
	framePadding = 0x00
	framePing    = 0x01
	frameACK     = 0x02
	frameACKECN  = 0x03
	frameCrypto  = 0x06
	frameClose   = 0x1c
)

// piece is what a CRYPTO frame carries of the handshake's stream (RFC 9000, section 19.6).
type piece struct {
	offset uint64
	data   []byte
}

// cryptoFrames picks the CRYPTO frames out of an Initial's payload; ok is false where the payload holds
// what no Initial may hold.
func cryptoFrames(payload []byte) (frames []piece, ok bool) {
	c := cursor{b: payload}
	for !c.bad && len(c.b) > 0 {
		switch c.varint() {
		case framePadding, framePing:
		case frameACK:
			c.skipACK(false)
		case frameACKECN:
			c.skipACK(true)
		case frameCrypto:
			f := piece{offset: c.varint()}
			f.data = c.varbytes()
			frames = append(frames, f)
		case frameClose:
			c.varint() // error code
			c.varint() // type of the frame that broke the rules
			c.varbytes()
		default:
			return nil, false
		}
	}
	return frames, !c.bad
}

// skipACK passes over an ACK frame (RFC 9000, section 19.3).
func (c *cursor) skipACK(ecn bool) {
	c.varint() // largest
	c.varint() // delay
	ranges := c.varint()
	c.varint() // first range
	for range ranges {
		if c.bad { // so that a count of 2⁶² ends with the payload
			return
		}
		c.varint() // gap
		c.varint() // length
	}
	if ecn {
		c.varint()
		c.varint()
		c.varint()
	}
}

// stream reassembles the start of the handshake's stream. Pieces may come in any order, twice, and
// overlapping: what came first stays, so that a retransmission changes nothing.
type stream struct {
	data []byte
	have []bool // which bytes of data are there
	next int    // all before it are there
}

// add puts a piece in; what lies past MaxMessage is no part of any hello that we take.
func (s *stream) add(f piece) {
	if f.offset >= MaxMessage {
		return
	}
	from := int(f.offset)
	f.data = f.data[:min(len(f.data), MaxMessage-from)]
	if grow := from + len(f.data) - len(s.data); grow > 0 {
		s.data = append(s.data, make([]byte, grow)...)
		s.have = append(s.have, make([]bool, grow)...)
	}
	for i, b := range f.data {
		if !s.have[from+i] {
			s.data[from+i], s.have[from+i] = b, true
		}
	}
	for s.next < len(s.have) && s.have[s.next] {
		s.next++
	}
}

// message gives the handshake message once it is all there.
func (s *stream) message() (msg []byte, done bool, err error) {
	size, err := messageSize(s.data[:s.next])
	if err != nil || size == 0 || s.next < size {
		return nil, false, err
	}
	return s.data[:size:size], true, nil
}
