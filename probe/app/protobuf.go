package app

import (
	"encoding/binary"
	"errors"
)

// field is one field of a protobuf message: a number, or bytes that are not nil. Fields of fixed
// length, which no message here has, have neither.
type field struct {
	number uint64
	bytes  []byte
	varint uint64
}

// Wire types (protobuf.dev, "Encoding"). Groups, 3 and 4, are in no message that we read.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// mostOfFieldNumber is the highest number that protobuf allows.
const mostOfFieldNumber = 1<<29 - 1

var errProtobuf = errors.New("no protobuf message")

// eachField reads a protobuf message. What it gives is part of b: nothing is copied. Of a field that
// comes twice the last one counts, as protobuf has it, if each keeps what it is given. The messages here
// are so few and small that the code which protoc makes would be longer.
func eachField(b []byte, each func(field)) error {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		f := field{number: tag >> 3}
		if n <= 0 || f.number == 0 || f.number > mostOfFieldNumber {
			return errProtobuf
		}
		b = b[n:]
		switch tag & 7 {
		case wireVarint:
			f.varint, n = binary.Uvarint(b)
		case wireBytes:
			var length uint64
			if length, n = binary.Uvarint(b); n > 0 && length <= uint64(len(b)-n) {
				f.bytes = b[n : n+int(length)]
				n += int(length)
			} else {
				n = 0
			}
		case wireFixed64:
			n = fixed(b, 8)
		case wireFixed32:
			n = fixed(b, 4)
		default:
			n = 0
		}
		if n <= 0 {
			return errProtobuf
		}
		b = b[n:]
		each(f)
	}
	return nil
}

// fixed is the length of a value of a fixed one; 0 where b is shorter.
func fixed(b []byte, length int) int {
	if len(b) < length {
		return 0
	}
	return length
}

// appendBytesField writes one field of bytes.
func appendBytesField(b []byte, number uint64, value []byte) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, number<<3|wireBytes), uint64(len(value)))
	return append(b, value...)
}

// appendVarintField writes one number.
func appendVarintField(b []byte, number, value uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, number<<3|wireVarint), value)
}
