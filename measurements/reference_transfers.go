package measurements

import (
	"fmt"
	"slices"
	"time"
)

// ReferenceTransfer is how an object of a target's came to R from one endpoint, when it fetched it last. Transfers are
// made in few rounds, and R says of each when that was.
type ReferenceTransfer struct {
	Endpoint  string    `json:"endpoint"`  // "ip:port"
	Name      string    `json:"name"`      // of the hello and the request
	Transport string    `json:"transport"` // "tls" or "quic"
	At        time.Time `json:"at"`
	Bytes     int64     `json:"bytes"`   // of the body; the most that came
	Goodput   float64   `json:"goodput"` // bit/s, the median; 0 where too little came to tell
	Ended     string    `json:"ended"`   // Body.Ended of the last
}

// TransferOf sums up how one object came to a vantage in a round; false where nothing was fetched that says anything.
func TransferOf(seen []*Observation) (t ReferenceTransfer, ok bool) {
	var told []*Observation
	for _, o := range seen {
		if o.Operation == Transfer && o.Transfer != nil && o.Control == T && o.HTTP.verified() {
			told = append(told, o)
			t.Bytes = max(t.Bytes, o.Transfer.Bytes)
		}
	}
	if len(told) == 0 {
		return t, false
	}
	last := told[len(told)-1]
	t.Endpoint, t.Name, t.Transport, t.At, t.Ended = last.Endpoint, last.Name, last.Transport, told[0].Started.UTC().Round(0), last.Transfer.Ended
	if rates := goodputs(told); len(rates) > 0 {
		t.Goodput = median(rates)
	}
	return t, true
}

// ReferenceTransferMaxAge is how old R's word on a transfer may be. Chosen by us: half as long again as it takes until
// the next at the default interval.
const ReferenceTransferMaxAge = 12 * time.Hour

// transferAtReference is R's word on the case's own object; nil where there is none.
func (c *Case) transferAtReference() *ReferenceTransfer {
	t := c.view.reference(c.Target.ID)
	if t == nil {
		return nil
	}
	i := slices.IndexFunc(t.Transfers, func(r ReferenceTransfer) bool {
		return r.Endpoint == c.Endpoint && r.Name == c.Name && r.Transport == c.transport() &&
			c.T.Started.Sub(r.At) <= ReferenceTransferMaxAge && r.At.Sub(c.view.m.Reference.At) <= ReferenceMaxAge // no round lasts longer
	})
	if i < 0 {
		return nil
	}
	return &t.Transfers[i]
}

// fastAtReference says whether the object came plainly faster to R than the fastest of ours, and faster than a policer
// lets it; slowAtReference whether it came there as slowly.
func (c *Case) fastAtReference() bool {
	r, t := c.transferAtReference(), goodputs(c.transfers(T))
	return r != nil && len(t) > 0 && r.Goodput > plateau && r.Goodput >= plainly*slices.Max(t) && slow(median(t), r.Goodput)
}

func (c *Case) slowAtReference() bool {
	r, t := c.transferAtReference(), goodputs(c.transfers(T))
	return r != nil && len(t) > 0 && r.Goodput > 0 && r.Goodput < plainly*slices.Min(t)
}

// wholeAtReference says whether more of the object came to R than a stream of ours brought, and cutAtReference whether
// it ended there, too, after as much.
func (c *Case) wholeAtReference(cut *Observation) bool {
	r := c.transferAtReference()
	return r != nil && r.Ended != EndedByStall && r.Ended != EndedByFailure && passesCount(r.Bytes, cut.Transfer.Bytes)
}

func (c *Case) cutAtReference(cut *Observation) bool {
	r := c.transferAtReference()
	return r != nil && (r.Ended == EndedByStall || r.Ended == EndedByFailure) && sameBytes(r.Bytes, cut.Transfer.Bytes)
}

// sameBytes says whether two counts are one, as far as streams end after a stable count.
func sameBytes(a, b int64) bool {
	return float64(max(a-b, b-a)) <= sameCount*float64(b)+twoSegments
}

// heldByReference weighs what every name meets at an address that is better for R. What lies on our way alone, or
// near us, may be crowded or broken: R's word alone is a suspicion. It is likely where another target of the app
// fares alike in another network, and better for R, if R fetched both since it began here, and it came again (DESIGN
// section 4, rule 6): hours later where streams are cut off, and a day where they are slow, since a way to an operator
// that is crowded is so to all of his networks, for an evening, and not in the small hours.
func (c *Case) heldByReference(f Finding, alike func(*Case) bool, reason string) *Finding {
	f.Confidence, f.Reasons = Suspected, append(f.Reasons, reason)
	second := slices.ContainsFunc(c.all, func(d *Case) bool {
		return d.Target.ID != c.Target.ID && d.Family == c.Family && d.transport() == c.transport() && network(d.Addr()) != network(c.Addr()) && alike(d) && d.fetchedSince(f.Signature)
	})
	switch {
	case !second:
		f.Reasons = append(f.Reasons, "a way, or a site of theirs, that is ours and not the reference's may be at fault")
	case !c.fetchedSince(f.Signature):
		f.Reasons = append(f.Reasons, "its word is older than the finding")
	case !c.AgainLater(f.Signature, server):
		f.Reasons = append(f.Reasons, "seen for a few hours at most")
	case f.State == Throttled && !c.AgainLater(f.Signature, crowded):
		f.Reasons = append(f.Reasons, "seen for less than a day: a crowded way to all of an operator's networks is so for an evening")
	default:
		f.Confidence, f.Reasons = Likely, append(f.Reasons, "so it is since this began, and at another target of the app in another network")
	}
	return &f
}

// crowded is for how long a way between two operators, by which all of his networks are reached, may be crowded
// without an hour's rest. Congestion between networks follows the day (Dhamdhere et al., Inferring Persistent
// Interdomain Congestion, SIGCOMM 2018): it passes within one.
const crowded = 24 * time.Hour

// fetchedSince says whether R fetched the object after the finding was first made here, without a success of ours since.
func (c *Case) fetchedSince(s Signature) bool {
	first, known := c.view.history.failingSince(seriesKey(c.view.m.App, c.Target.ID, c.Layer, c.Family, s))
	r := c.transferAtReference()
	return known && r != nil && r.At.After(first)
}

// rateAtReference is the sentence that says how fast it came.
func (c *Case) rateAtReference() string {
	return fmt.Sprintf("%.0f kbit/s at the reference vantage", c.transferAtReference().Goodput/1e3)
}
