package measurements

import (
	"fmt"
	"time"
)

// moment is a step that was answered, or a neutral host's that was not: what says whether the line held at that
// moment, in one family and over TCP or UDP alone.
type moment struct {
	family Family
	quic   bool
	from   time.Time // of a silent step only what began after it counts: the line may have died under it
	to     time.Time
	shook  bool // a handshake, or what comes after one: a box may accept connections for a dead line
	again  bool // a neutral host, asked again
	died   bool // it had answered the gate, and did not this time
	mute   bool // and was silent
}

// witnessed is how far from the moment of a failure a neutral host may have been asked to speak for it: the longest
// pause that the round makes between two such questions (probe, silentFor). What fails at once is asked about a second
// apart (failurePause), so that the machine may be slow.
const witnessed = 3 * time.Second

// apart gives the gate as it was before the apps, what its hosts said when they were asked again, and what was met at
// public resolvers: those are no neutral hosts, where encrypted DNS is filtered.
func (m *Measurement) apart() (gate Measurement, again, resolvers []*Observation) {
	gate = *m
	gate.Observations = nil
	for i := range m.Observations {
		switch o := &m.Observations[i]; {
		case o.Again:
			again = append(again, o)
		case o.Target == resolverTarget && (o.DNS == nil || o.DNS.Resolver != SystemResolver):
			resolvers = append(resolvers, o)
		default:
			gate.Observations = append(gate.Observations, *o)
		}
	}
	return gate, again, resolvers
}

// listen gathers what was heard in the course of the round, after the gate.
func (l *Line) listen(gate *Measurement, again []*Observation, apps []Measurement) {
	conns := map[int]*moment{}
	well := gate.answered()
	for _, o := range again { // each is asked on a connection of its own: the last step tells how it ended
		if !well[answerer{o.Target, o.Family, overQUIC(o)}] {
			continue
		}
		h := conns[o.Conn]
		if h == nil {
			h = &moment{family: o.Family, quic: overQUIC(o), from: o.Started, shook: true, again: true}
			conns[o.Conn] = h
		}
		h.to, h.died, h.mute = o.ended(), h.died || !o.OK(), h.mute || o.Failure == Timeout
	}
	for _, h := range conns {
		l.heard = append(l.heard, *h)
	}
	for i := range apps {
		for j := range apps[i].Observations {
			if o := &apps[i].Observations[j]; o.OK() && o.Operation != Resolve {
				l.heard = append(l.heard, moment{family: o.Family, quic: overQUIC(o), from: o.Started, to: o.ended(), shook: o.Operation != Connect && o.Operation != Settle})
			}
		}
	}
}

// answerer is a neutral host on one passage.
type answerer struct {
	host   string
	family Family
	quic   bool
}

// answered are the hosts with which the gate completed a handshake. Others may be asked again too, and their
// silence tells nothing new.
func (m *Measurement) answered() map[answerer]bool {
	out := map[answerer]bool{}
	for i := range m.Observations {
		if o := &m.Observations[i]; o.OK() && (o.Operation == TLSHandshake || o.Operation == QUICHandshake) {
			out[answerer{o.Target, o.Family, overQUIC(o)}] = true
		}
	}
	return out
}

func overQUIC(o *Observation) bool {
	return o.Layer() == LayerQUIC || o.Transport == "quic" || o.Transport == "udp"
}

func (o *Observation) ended() time.Time { return o.Started.Add(time.Duration(o.Duration)) }

// faltered says why a failure is the line's as easily as the target's, though the gate had found the line well:
// neutral hosts that had answered it did not, when something failed; or nothing at all was answered while
// a step was silent. "" where neither is so, or where no neutral host was
// asked again on this passage: the gate had none there, or the evidence is older.
func (l *Line) faltered(o *Observation) string {
	// A transfer that stalls has brought something, and lasts too long to be asked about.
	silent := o.Failure == Timeout && o.Operation != Transfer
	asked, answered, died, meanwhile := false, 0, 0, false
	for i := range l.heard {
		h := &l.heard[i]
		if h.family != o.Family || h.quic != overQUIC(o) {
			continue
		}
		asked = asked || h.again
		switch {
		case !h.again || !near(h, o):
		case h.mute && !silent: // no line is dead that brings a reset, or an answer
		case h.died:
			died++
		default:
			answered++
		}
		meanwhile = meanwhile || !h.died && (h.shook || o.Layer() == LayerTCP) && h.from.After(o.Started) && h.to.Sub(o.Started) <= time.Duration(o.Duration)/2
	}
	switch {
	case !asked:
	case died > 1 && (died > answered || silent):
		return fmt.Sprintf("%d neutral hosts that had answered the gate were asked again at that moment and did not answer: the line failed in mid-round", died)
	case silent && !meanwhile: // in the first half: most of what a step sends again it sends then (RFC 6298)
		return "while it was silent nothing else was answered either, by neutral hosts as little as by others: the line may have been dead"
	}
	return ""
}

// near says whether a neutral host was asked about when the step failed: at its end, or while it was silent.
func near(h *moment, o *Observation) bool {
	from := o.ended()
	if o.Failure == Timeout {
		from = o.Started
	}
	return h.from.Sub(o.ended()) <= witnessed && h.from.Sub(from) >= -witnessed
}

// falteredRules come after the line's own: the gate says that it is well, and is older than the failure.
var falteredRules = []Rule{{
	ID:      "line-faltered",
	Since:   "2026-11-26.1",
	Says:    "The line was well before the apps, and failed for neutral hosts too when this step did: a line that dies, or a portal that closes, in mid-round.",
	Source:  "DESIGN section 4, rule 1; ICLab, Niaki et al., IEEE S&P 2020 (transient failures of the vantage)",
	Needs:   "neutral hosts that had answered the gate, asked again at that moment, and most of them did not; or a silence in which nothing at all was answered",
	Refuses: "anything that failed at that moment: the line may be at fault",
	Judge: func(c *Case) *Finding {
		if !c.Failed() || c.Layer == LayerDNS {
			return nil
		}
		if why := c.view.line.faltered(c.T); why != "" {
			return inconclusive("", why)
		}
		return nil
	},
}}
