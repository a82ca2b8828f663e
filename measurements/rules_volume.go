package measurements

import (
	"fmt"
	"slices"
)

// layerVolume is where transfers are judged. It is no layer of a verdict: what is found shows in the
// layer that the signature names.
const layerVolume Layer = "volume"

const (
	// sameCount is how far two counts may lie apart that are one: a tenth, and two segments.
	sameCount    = 0.1
	twoSegments  = 2 * 1460
	leastCut     = 4 << 10 // what dies before is the exchange's own failure
	volumeSource = "net4people/bbs#417, #490 (16 to 20 KB freeze); Xue et al., Throttling Twitter, IMC 2021; OONI dd-007"
)

var volumeRules = []Rule{
	cutWithAnyObject,
	{
		ID:         "volume-cut-with-name",
		Since:      "2026-11-26.1",
		Says:       "The target's stream stalls or dies after some kilobytes; the same object under a neutral name passes that count.",
		Layers:     []Layer{layerVolume},
		Source:     volumeSource,
		Signatures: []Signature{TLSCutoffSNI},
		Needs:      "a transfer that ends after some kilobytes, and control N's transfers of the same object that all bring more",
		Refuses:    "more than a suspicion of one stall, or where the neutral name leads to another object; and any where it ends for the reference vantage, too",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			t := c.transfers(T)
			cut := t[len(t)-1]
			if !c.cutOff(cut) || !c.neutralPasses(cut.Transfer.Bytes) {
				return nil
			}
			reason := fmt.Sprintf("the stream ends (%s) after %d bytes of the body; with a neutral name the transfer brings more", cut.Transfer.Ended, cut.Transfer.Bytes)
			switch {
			case c.cutAtReference(cut):
				return inconclusive(TLSCutoffSNI, reason, "it ends there for the reference vantage, too")
			case !c.cutObject(cut):
				return blocked(TLSCutoffSNI, Suspected, reason, "but it is another object, or too little came to tell: what serves this one may break off")
			case c.cutElsewhere(cut):
				return blocked(TLSCutoffSNI, Likely, reason, "it ends after as many bytes at another address")
			case c.AgainLater(TLSCutoffSNI, server):
				return blocked(TLSCutoffSNI, Likely, reason, "so it did in an earlier round")
			}
			return blocked(TLSCutoffSNI, Suspected, reason, "a stream that stalls once may have been lost")
		},
	},
	cutWithoutReference,
	{
		ID:         "volume-cut-whatever-name",
		Since:      "2026-11-26.1",
		Says:       "The stream stalls or dies after some kilobytes whatever the name: the server's doing, or that of somebody who dislikes its address.",
		Layers:     []Layer{layerVolume},
		Source:     volumeSource,
		Signatures: []Signature{TLSCutoffIP},
		Needs:      "a transfer that ends after some kilobytes; to call it blocked, the reference vantage's word that more comes there, and a stream from another network that brings more here, and for more than a suspicion another target in another network that ends after as many, hours apart",
		Refuses:    "whether the server or somebody who dislikes its address ends it",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			t := c.transfers(T)
			cut := t[len(t)-1]
			if !c.cutOff(cut) {
				return nil
			}
			reason := fmt.Sprintf("the stream ends (%s) after %d bytes of the body; nothing shows that a neutral name fares better", cut.Transfer.Ended, cut.Transfer.Bytes)
			switch {
			case !c.wholeAtReference(cut):
				return inconclusive(TLSCutoffIP, reason)
			case !c.elsewhereGoesOn(cut.Transfer.Bytes):
				return inconclusive(TLSCutoffIP, reason, "more of it comes to the reference vantage; nothing shows that any stream brings more here")
			}
			return c.heldByReference(Finding{State: Blocked, Signature: TLSCutoffIP, Reasons: []string{reason}}, c.cutAlike(cut), "more of it comes to the reference vantage")
		},
	},
}

// cutAlike says of another case whether its stream ends after as many bytes, and not for R.
func (c *Case) cutAlike(cut *Observation) func(*Case) bool {
	return func(d *Case) bool {
		t := d.transfers(T)
		other := t[len(t)-1]
		return d.cutOff(other) && sameBytes(other.Transfer.Bytes, cut.Transfer.Bytes) && d.wholeAtReference(other)
	}
}

// transfers lists the case's own, or those of control N, in order of time. The caller changes nothing in it.
func (c *Case) transfers(of Control) []*Observation { return c.moved[of] }

// cutOff says whether a transfer came to an end that is no end.
func (c *Case) cutOff(o *Observation) bool {
	ended := o.Transfer.Ended == EndedByStall || o.Transfer.Ended == EndedByFailure
	return o.Transport == "tls" && !o.OK() && ended && o.Transfer.Bytes >= leastCut
}

// neutralPasses says whether every transfer under a neutral name, and there is one, brought more.
func (c *Case) neutralPasses(count int64) bool {
	n := c.transfers(N)
	return len(n) > 0 && !slices.ContainsFunc(n, func(o *Observation) bool {
		return !o.OK() || !passesCount(o.Transfer.Bytes, count)
	})
}

// cutElsewhere says whether the target's stream ended after as many bytes at another address, where a
// neutral name passed that count, too.
func (c *Case) cutElsewhere(cut *Observation) bool {
	for _, d := range c.all {
		if d == c || d.Layer != layerVolume || d.Target.ID != c.Target.ID || d.Addr() == c.Addr() {
			continue
		}
		t := d.transfers(T)
		other := t[len(t)-1]
		if d.cutOff(other) && d.neutralPasses(other.Transfer.Bytes) && sameBytes(other.Transfer.Bytes, cut.Transfer.Bytes) {
			return true
		}
	}
	return false
}

// volumeCases are the targets' transfers, one case for each endpoint. What passes adds nothing to a
// verdict: the visit has said so.
func (v *view) volumeCases() []*Case {
	var out []*Case
	index, moved := map[[3]string]*Case{}, map[[3]string]map[Control][]*Observation{}
	for i := range v.m.Observations {
		o := &v.m.Observations[i]
		if o.Operation != Transfer || o.Transfer == nil {
			continue
		}
		key := [3]string{o.Target, o.Endpoint, o.Transport}
		if moved[key] == nil {
			moved[key] = map[Control][]*Observation{}
		}
		moved[key][o.Control] = append(moved[key][o.Control], o)
		if o.Control != T {
			continue
		}
		c := index[key]
		if c == nil {
			c = &Case{view: v, Target: v.targets[o.Target], Layer: layerVolume, Family: o.Family, Endpoint: o.Endpoint, Origin: o.Origin, Name: o.Name, moved: moved[key]}
			index[key] = c
			out = append(out, c)
		}
		c.keepWorst(o)
	}
	for _, c := range out {
		c.all = out
		for _, list := range c.moved {
			slices.SortStableFunc(list, func(a, b *Observation) int { return a.Started.Compare(b.Started) })
		}
	}
	return out
}

// shownIn is the layer of a verdict in which a finding about transfers stands; "" for what says nothing
// about them.
func shownIn(s Signature) Layer {
	switch s {
	case TLSCutoffSNI, TLSCutoffIP:
		return LayerTLS
	case ThrottleSNI, ThrottleIP, ThrottleProtocol:
		return LayerHTTP
	}
	return ""
}
