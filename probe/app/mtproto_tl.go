package app

import (
	"encoding/binary"
)

// The constructors of the exchange. Source: core.telegram.org/schema/mtproto.
const (
	idReqPQMulti       = 0xbe7e8ef1
	idResPQ            = 0x05162463
	idPQInnerDataDC    = 0xa9f55f95
	idReqDHParams      = 0xd712e4be
	idServerDHParamsOK = 0xd0e8075c
	idServerDHInner    = 0xb5890dba
	idVector           = 0x1cb5c415
)

type (
	int128 [16]byte
	int256 [32]byte
)

// tlWriter writes TL, Telegram's binary form. Source: core.telegram.org/mtproto/serialize.
type tlWriter struct{ bytes []byte }

func (w *tlWriter) id(n uint32)   { w.bytes = binary.LittleEndian.AppendUint32(w.bytes, n) }
func (w *tlWriter) long(n uint64) { w.bytes = binary.LittleEndian.AppendUint64(w.bytes, n) }
func (w *tlWriter) put(b []byte)  { w.bytes = append(w.bytes, b...) }

// text writes a string: one byte of length below 254, else 254 and three; zeros up to a multiple of four.
func (w *tlWriter) text(b []byte) {
	if len(b) < 254 {
		w.bytes = append(w.bytes, byte(len(b)))
	} else {
		w.bytes = append(w.bytes, 254, byte(len(b)), byte(len(b)>>8), byte(len(b)>>16))
	}
	w.bytes = append(w.bytes, b...)
	for len(w.bytes)%4 != 0 {
		w.bytes = append(w.bytes, 0)
	}
}

// number writes one as a string of big-endian bytes, without leading zeros.
func (w *tlWriter) number(n uint64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	i := 0
	for i < 7 && b[i] == 0 {
		i++
	}
	w.text(b[i:])
}

// tlReader reads it; bad is set by the first thing that is not there. Nothing is copied, and nothing is
// allocated by what a length says.
type tlReader struct {
	rest []byte
	bad  bool
}

func (r *tlReader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.rest) {
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *tlReader) id() uint32 {
	b := r.take(4)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

func (r *tlReader) int128() (out int128) {
	copy(out[:], r.take(len(out)))
	return out
}

func (r *tlReader) int256() (out int256) {
	copy(out[:], r.take(len(out)))
	return out
}

// bytes reads a string of at most so many bytes.
func (r *tlReader) bytes(most int) []byte {
	head := r.take(1)
	if head == nil {
		return nil
	}
	n, used := int(head[0]), 1
	switch n {
	case 254:
		b := r.take(3)
		if b == nil {
			return nil
		}
		n, used = int(b[0])|int(b[1])<<8|int(b[2])<<16, 4
	case 255:
		r.bad = true
		return nil
	}
	if n > most {
		r.bad = true
		return nil
	}
	out := r.take(n)
	r.take((4 - (used+n)%4) % 4)
	return out
}

// longs reads a vector of at most so many.
func (r *tlReader) longs(most int) []uint64 {
	if r.id() != idVector {
		r.bad = true
		return nil
	}
	n := int(int32(r.id()))
	if n < 0 || n > most {
		r.bad = true
		return nil
	}
	var out []uint64
	for range n {
		b := r.take(8)
		if b == nil {
			return nil
		}
		out = append(out, binary.LittleEndian.Uint64(b))
	}
	return out
}

// bigEndian reads at most eight bytes.
func bigEndian(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}
