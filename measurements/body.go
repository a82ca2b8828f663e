package measurements

import "time"

// Body is how the body of a transfer came.
type Body struct {
	Bytes  int64   `json:"bytes"`
	Wait   Seconds `json:"wait"`   // from the request to the first byte; 0 where none came
	Active Seconds `json:"active"` // from the first byte to the last
	Ended  string  `json:"ended"`
	// Object numbers the objects of a measurement by how they begin: transfers of one number brought the same one.
	// 0 where too little came to tell. What they hold is not told: a page may show who asks for it.
	Object int `json:"object,omitempty"`
}

// BodyHead is how many bytes name an object. Chosen by us: what is cut off has brought as many (leastCut), and what has
// so many in common is no page of errors.
const BodyHead = leastCut

// sameObject says whether two transfers brought one object, as far as both came.
func sameObject(a, b *Observation) bool {
	x, y := a.Transfer, b.Transfer
	if x.Object == 0 || x.Object != y.Object || a.HTTP == nil || b.HTTP == nil || a.HTTP.Status != b.HTTP.Status {
		return false
	}
	return x.Ended != EndedComplete || y.Ended != EndedComplete || x.Bytes == y.Bytes
}

// What ends a transfer.
const (
	EndedComplete  = "complete" // the body is over
	EndedByBytes   = "bytes"    // enough of it came
	EndedByTime    = "time"     // it has lasted long enough
	EndedByStall   = "stall"    // no byte came for the time of a step
	EndedByFailure = "failure"  // the connection died
)

// leastBody is what a transfer must bring for its goodput to say anything, unless it lasted its half minute: less than
// that comes in TCP's first windows, as fast as the round trip allows (RFC 6928: ten segments), or out of a policer's
// bucket (Xue et al., Throttling Twitter, IMC 2021; DESIGN section 4, throttle.*).
const leastBody = 256 << 10

// leastActive bounds the goodput of a body that came at once.
const leastActive = time.Millisecond

// Goodput is in bit/s; 0 where the body was too short, or too short-lived, to tell.
func (b *Body) Goodput() float64 {
	if b == nil || b.Bytes < leastBody && b.Ended != EndedByTime {
		return 0
	}
	return 8 * float64(b.Bytes) / max(time.Duration(b.Active), leastActive).Seconds()
}
