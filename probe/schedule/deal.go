package schedule

import (
	"bytes"
	"crypto/sha256"
	"slices"
)

// Deal gives out the turns of a rotation to keys that are known beforehand, like cards: no round has more than one key
// more than another. A hash for each key would do that for thousands of them; with fifty, one round has three times
// what another has, and the household pays for the worst one. The zero value has dealt nothing.
type Deal map[string]Rotation

// NewDeal deals to each key once, however often it is in the list. The order is that of hashes: neither the list's order nor
// what the keys have in common plays a part. Another list is another deal, in which a key may wait up to sixteen
// rounds, once.
func NewDeal(keys []string) Deal {
	type card struct {
		key string
		sum [sha256.Size]byte
	}
	var cards []card
	for _, key := range keys {
		cards = append(cards, card{key, sha256.Sum256([]byte(key))})
	}
	slices.SortFunc(cards, func(a, b card) int { return bytes.Compare(a.sum[:], b.sum[:]) })
	d := Deal{}
	for _, c := range cards {
		if _, dealt := d[c.key]; !dealt {
			d[c.key] = Rotation(len(d)) % Turns
		}
	}
	return d
}

// Includes says whether the key's turn is in this round: in any eight in a row exactly once. A key to which nothing was
// dealt has the turn of its hash.
func (d Deal) Includes(r Rotation, key string) bool {
	turn, dealt := d[key]
	if !dealt {
		return r.Includes(key)
	}
	return turn == r%Turns
}
