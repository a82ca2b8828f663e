package hello

// cursor reads big-endian numbers and vectors from the front of b. The first read that goes past the
// end makes it bad, and all later ones give zero: a parser asks once, at its end.
type cursor struct {
	b   []byte
	bad bool
}

// take gives the next n bytes, which still belong to the input.
func (c *cursor) take(n int) []byte {
	if c.bad || n < 0 || n > len(c.b) {
		c.bad, c.b = true, nil
		return nil
	}
	out := c.b[:n]
	c.b = c.b[n:]
	return out
}

// number reads an unsigned number of n bytes, 4 at most.
func (c *cursor) number(n int) (v uint32) {
	for _, x := range c.take(n) {
		v = v<<8 | uint32(x)
	}
	return v
}

// vector reads a vector behind a length of n bytes (RFC 8446, section 3.4).
func (c *cursor) vector(n int) cursor {
	b := c.take(int(c.number(n)))
	return cursor{b: b, bad: c.bad}
}

// numbers reads a vector of 16-bit numbers behind a length of n bytes.
func (c *cursor) numbers(n int) (out []uint16) {
	v := c.vector(n)
	for !v.bad && len(v.b) > 0 {
		out = append(out, uint16(v.number(2)))
	}
	c.bad = c.bad || v.bad
	return out
}

// varint reads QUIC's number of 1, 2, 4 or 8 bytes (RFC 9000, section 16).
func (c *cursor) varint() (v uint64) {
	first := c.take(1)
	if c.bad {
		return 0
	}
	v = uint64(first[0] & 0x3f)
	for _, x := range c.take(1<<(first[0]>>6) - 1) {
		v = v<<8 | uint64(x)
	}
	if c.bad {
		return 0
	}
	return v
}

// varbytes reads what stands behind its length as a varint. A length that no slice can have is past
// the end.
func (c *cursor) varbytes() []byte {
	n := c.varint()
	if n > uint64(len(c.b)) {
		return c.take(-1)
	}
	return c.take(int(n))
}
