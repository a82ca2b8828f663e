package measurements

import (
	"fmt"
	"slices"
	"time"
)

const (
	// clockBound is from where a clock counts as wrong. Authorities that date certificates back, for the
	// sake of wrong clocks, do so by an hour (Let's Encrypt): what fails by its date within the hour fails for its own reasons.
	clockBound = time.Hour
	// clockAgreement is how far the clocks of two operators may lie apart: a second of rounding, a slow
	// answer, and a page that a cache kept for a minute. Chosen by us; servers' own clocks agree far better.
	clockAgreement = 2 * time.Minute
)

// httpDate is the one form of a Date header that a sender may use (RFC 9110, section 5.6.7).
const httpDate = "Mon, 02 Jan 2006 15:04:05 GMT"

// ClockOffset tells how far the neutral hosts' clocks are ahead of this machine's, from the Date of their
// answers; negative where this machine's is ahead. Answers over a chain of the server's own count, whatever
// our clock makes of the chain's dates, and such in clear, unless a captive portal gives them.
//
// It is nil where nobody can tell: it takes two operators that agree, and more than disagree with them, so
// that one lying or drifting server is outvoted. Exact to a few seconds.
func ClockOffset(gate *Measurement) *Seconds {
	told := clocksTold(gate)
	var best []time.Duration
	for i := range told {
		j := i
		for j < len(told) && told[j]-told[i] <= clockAgreement {
			j++
		}
		if j-i > len(best) {
			best = told[i:j]
		}
	}
	if len(best) < minOperators || 2*len(best) <= len(told) {
		return nil
	}
	offset := Seconds(best[len(best)/2])
	return &offset
}

// clocksTold gives the offset that each operator's hosts tell, sorted: their median.
func clocksTold(gate *Measurement) []time.Duration {
	clear := !portal(gate)
	by := map[string][]time.Duration{}
	operators, _ := operatorsOf(gate, anywhere)
	chains := map[int]*Observation{}
	for i := range gate.Observations {
		o := &gate.Observations[i]
		switch o.Operation {
		case TLSHandshake:
			chains[o.Conn] = o
		case HTTPExchange:
			if o.Transport == "tcp" && !clear || o.Transport == "tls" && !chains[o.Conn].dated() {
				continue
			}
			if offset, ok := o.clockOffset(); ok {
				by[operators[o.Target]] = append(by[operators[o.Target]], offset)
			}
		}
	}
	var told []time.Duration
	for _, offsets := range by {
		slices.Sort(offsets)
		told = append(told, offsets[len(offsets)/2])
	}
	slices.Sort(told)
	return told
}

// dated says whether the handshake showed a chain that holds, but perhaps for today's date.
func (o *Observation) dated() bool {
	return o != nil && (o.OK() || o.TLS != nil && !o.TLS.ValidUntil.IsZero())
}

// clockOffset is what one answer tells. It was dated between the request and the answer.
func (o *Observation) clockOffset() (time.Duration, bool) {
	if o.HTTP == nil || o.HTTP.Status == 0 {
		return 0, false
	}
	date, err := time.Parse(httpDate, o.HTTP.Date)
	if err != nil {
		return 0, false
	}
	return date.Sub(o.Started.Add(time.Duration(o.Duration) / 2)), true
}

// clockWrong says whether this machine's clock is known to be wrong by more than certificates forgive.
func (l *Line) clockWrong() bool {
	return l.Clock != nil && time.Duration(*l.Clock).Abs() >= clockBound
}

// explains says whether this machine's clock alone is why a certificate was refused: the chain is the
// name's own, and holds at the time that the neutral hosts tell.
func (l *Line) explains(o *Observation) bool {
	if !l.clockWrong() || !o.Failure.IsCertificate() || o.TLS == nil || o.TLS.ValidUntil.IsZero() {
		return false
	}
	at := o.Started.Add(time.Duration(*l.Clock))
	return !at.Before(o.TLS.ValidFrom) && !at.After(o.TLS.ValidUntil)
}

// shook says whether a neutral host proved itself in a handshake, whatever our clock made of it.
func (l *Line) shook(o *Observation) bool { return o.OK() || l.explains(o) }

// concludeClock blames the clock where it is why neutral hosts' certificates are refused. A wrong clock that
// harms nothing is told as context.
func (l *Line) concludeClock(g *Measurement) {
	if !l.clockWrong() {
		return
	}
	off := time.Duration(*l.Clock).Round(time.Minute)
	reason := fmt.Sprintf("this machine's clock is slow by %v, say the neutral hosts of two operators", off)
	if off < 0 {
		reason = fmt.Sprintf("this machine's clock is fast by %v, say the neutral hosts of two operators", -off)
	}
	if slices.ContainsFunc(g.Observations, func(o Observation) bool { return l.explains(&o) }) {
		l.State = Local
		reason += "; by the time that they tell, their certificates hold"
	}
	l.say(LocalClock, reason)
}
