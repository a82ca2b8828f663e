package measurements

import "time"

// Body is how the body of a transfer came.
type Body struct {
	Bytes  int64   `json:"bytes"`
	Wait   Seconds `json:"wait"`   // from the request to the first byte; 0 where none came
	Active Seconds `json:"active"` // from the first byte to the last
	Ended  string  `json:"ended"`
}

// What ends a transfer.
const (
	EndedComplete  = "complete" // the body is over
	EndedByBytes   = "bytes"    // enough of it came
	EndedByTime    = "time"     // it has lasted long enough
	EndedByStall   = "stall"    // no byte came for the time of a step
	EndedByFailure = "failure"  // the connection died
)

// leastBody is what a transfer must bring for its goodput to say anything: less than that comes in TCP's
// first windows, as fast as the round trip allows (RFC 6928: ten segments).
const leastBody = 64 << 10

// leastActive bounds the goodput of a body that came at once.
const leastActive = time.Millisecond

// Goodput is in bit/s; 0 where the body was too short, or too short-lived, to tell.
func (b *Body) Goodput() float64 {
	if b == nil || b.Bytes < leastBody && b.Ended != EndedByTime {
		return 0
	}
	return 8 * float64(b.Bytes) / max(time.Duration(b.Active), leastActive).Seconds()
}
