package schedule

import (
	"crypto/sha256"
	"encoding/binary"
)

// Turns is the number of rounds in which the rotation visits every endpoint once. Control N costs
// as much as T, and what always worked needs it only now and then, to keep known how an edge
// answers N on a clean line (DESIGN, section 2).
const Turns = 8

// Rotation is the number of a round, and says which eighth of what costs much is done in it: control N, above all.
// The zero value is a first round like any other.
type Rotation uint64

// Next is the rotation of the round after.
func (r Rotation) Next() Rotation { return r + 1 }

// Includes says whether the key's turn is in this round. In any eight rounds in a row every key has
// exactly one, whichever keys come and go beside it.
func (r Rotation) Includes(key string) bool {
	// The keys of one app differ in a digit only: it takes a hash that spreads those, too.
	sum := sha256.Sum256([]byte(key))
	return uint64(sum[0])%Turns == uint64(r)%Turns
}

// Nth says whether the key's turn is in this round, where it has one in every n.
func (r Rotation) Nth(key string, n uint64) bool {
	sum := sha256.Sum256([]byte(key))
	return n > 0 && uint64(sum[1])%n == uint64(r)%n
}

// Turn counts the rounds as a key does: keys begin at numbers of their own, so that what goes round in turns is
// not the same for all of them in one round.
func (r Rotation) Turn(key string) uint64 {
	sum := sha256.Sum256([]byte(key))
	return uint64(binary.BigEndian.Uint32(sum[2:])) + uint64(r)
}
