package store

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// Position is where a record stands in the order of time: by the start of its round, then by the round's id,
// then by when it was written. The zero value is before every record.
type Position struct {
	started int64
	round   string
	row     int64
}

// Round is the id of the record's round.
func (p Position) Round() string { return p.round }

// String writes a position in letters, digits, "-" and "_", for ParsePosition: others may keep it, and need
// not understand it. The zero value is "".
func (p Position) String() string {
	if p == (Position{}) {
		return ""
	}
	b := binary.AppendVarint(binary.AppendVarint(nil, p.started), p.row)
	return base64.RawURLEncoding.EncodeToString(append(b, p.round...))
}

// errPosition says that a text is no position.
var errPosition = errors.New("not a place in a store: take it from an earlier answer as it was")

// ParsePosition reads what String wrote; anybody may have changed it.
func ParsePosition(text string) (Position, error) {
	if text == "" {
		return Position{}, nil
	}
	if len(text) > 2*maxName {
		return Position{}, errPosition
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return Position{}, errPosition
	}
	started, n := binary.Varint(b)
	if n <= 0 {
		return Position{}, errPosition
	}
	row, m := binary.Varint(b[n:])
	if m <= 0 || len(b)-n-m > maxName {
		return Position{}, errPosition
	}
	return Position{started, string(b[n+m:]), row}, nil
}
