package measurements

import (
	"fmt"
	"slices"
)

// Rules on transfers that hold no more, each as it was.

// slowOnceWithName was likely after one round, whatever object the neutral name led to.
var slowOnceWithName = Rule{
	ID:         "volume-slow-with-name",
	Since:      "2026-11-23.2",
	Until:      "2026-11-26.1",
	Says:       "The same object from the same server comes many times slower under the target's name than under a neutral one, taken in turns.",
	Layers:     []Layer{layerVolume},
	Source:     volumeSource,
	Signatures: []Signature{ThrottleSNI},
	Needs:      "three transfers with each name, taken in turns, the slowest of control N's faster than the fastest of the target's, and medians that lie far apart",
	Refuses:    "that a busy line or a slow server holds anything back",
	Confidence: Likely,
	Judge: func(c *Case) *Finding {
		t, n := goodputs(c.transfers(T)), goodputs(c.transfers(N))
		// Loss and a busy Wi-Fi make single transfers slow: three of each, taken in turns, and the best of
		// the target's worse than the worst of the others.
		if len(t) < medianNeeds || len(n) < medianNeeds || !slow(median(t), median(n)) || slices.Max(t) >= slices.Min(n) {
			return nil
		}
		reason := fmt.Sprintf("%.0f kbit/s with the target's name, %.0f kbit/s with a neutral one (medians of %d and %d)", median(t)/1e3, median(n)/1e3, len(t), len(n))
		return &Finding{State: Throttled, Signature: ThrottleSNI, Confidence: Likely, Reasons: []string{reason}}
	},
}

// cutWithAnyObject did not ask whether control N brought the object that was cut off.
var cutWithAnyObject = Rule{
	ID:         "volume-cut-with-name",
	Since:      "2026-11-23.2",
	Until:      "2026-11-26.1",
	Says:       "The target's stream stalls or dies after some kilobytes; the same object under a neutral name passes that count.",
	Layers:     []Layer{layerVolume},
	Source:     volumeSource,
	Signatures: []Signature{TLSCutoffSNI},
	Needs:      "a transfer that ends after some kilobytes, and control N's transfers of the same object that all bring more",
	Refuses:    "more than a suspicion of one stall",
	Confidence: Likely,
	Judge: func(c *Case) *Finding {
		t := c.transfers(T)
		cut := t[len(t)-1]
		if !c.cutOff(cut) || !c.neutralPasses(cut.Transfer.Bytes) {
			return nil
		}
		reason := fmt.Sprintf("the stream ends (%s) after %d bytes of the body; with a neutral name the same object brings more", cut.Transfer.Ended, cut.Transfer.Bytes)
		switch {
		case c.cutElsewhere(cut):
			return blocked(TLSCutoffSNI, Likely, reason, "it ends after as many bytes at another address")
		case c.AgainLater(TLSCutoffSNI, Decorrelation):
			return blocked(TLSCutoffSNI, Likely, reason, "so it did in an earlier round")
		}
		return blocked(TLSCutoffSNI, Suspected, reason, "a stream that stalls once may have been lost")
	},
}
