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

// slowWithoutReference did not ask the reference vantage.
var slowWithoutReference = Rule{
	ID:         "volume-slow-at-address",
	Since:      "2026-11-23.2",
	Until:      "2026-11-26.1",
	Says:       "Whatever the name, the object comes slowly from one address, and many times faster from another.",
	Layers:     []Layer{layerVolume},
	Source:     volumeSource,
	Signatures: []Signature{ThrottleIP},
	Needs:      "three slow transfers of target and control N each, and three of another address that lie between the first and the last of them",
	Refuses:    "whether somebody dislikes the address, the way there is crowded, or the server is",
	Judge: func(c *Case) *Finding {
		t := goodputs(c.transfers(T))
		if c.transport() == "quic" || !c.slowHere(t) {
			return nil
		}
		if there := c.fastElsewhere(t); there > 0 {
			return inconclusive(ThrottleIP, fmt.Sprintf("%.0f kbit/s from this address under every name, %.0f kbit/s from another; a crowded way or server looks the same", median(t)/1e3, there/1e3))
		}
		return nil
	},
}

// quicWithoutReference did not ask it either.
var quicWithoutReference = Rule{
	ID:         "volume-slow-over-quic",
	Since:      "2026-11-23.2",
	Until:      "2026-11-26.1",
	Says:       "The same object from the same address comes at a policer's rate over QUIC, and plainly faster over TCP, taken in turns.",
	Layers:     []Layer{layerVolume},
	Source:     volumeSource,
	Signatures: []Signature{ThrottleProtocol},
	Needs:      "three transfers over each, all over QUIC at or below a policer's plateau, and all over TCP at least three times faster",
	Refuses:    "whether somebody holds QUIC back, or the line or the server all of UDP",
	Judge: func(c *Case) *Finding {
		// A policer's plateau alone counts: a server that sends more at once over TCP, or a proxy for TCP on
		// the way, makes QUIC ten times slower too.
		t, tcp := goodputs(c.transfers(T)), c.overTCP()
		if c.transport() != "quic" || len(t) < medianNeeds || len(tcp) < medianNeeds || slices.Max(t) > plateau || slices.Max(t)*plainly > slices.Min(tcp) {
			return nil
		}
		return inconclusive(ThrottleProtocol, fmt.Sprintf("%.0f kbit/s over QUIC, %.0f kbit/s over TCP; a line or a server that holds all UDP back looks the same", median(t)/1e3, median(tcp)/1e3))
	},
}

// cutWithoutReference did not either.
var cutWithoutReference = Rule{
	ID:         "volume-cut-whatever-name",
	Since:      "2026-11-23.2",
	Until:      "2026-11-26.1",
	Says:       "The stream stalls or dies after some kilobytes whatever the name: the server's doing, or that of somebody who dislikes its address.",
	Layers:     []Layer{layerVolume},
	Source:     volumeSource,
	Signatures: []Signature{TLSCutoffIP},
	Needs:      "a transfer that ends after some kilobytes",
	Refuses:    "whether the server or somebody who dislikes its address ends it",
	Judge: func(c *Case) *Finding {
		t := c.transfers(T)
		if cut := t[len(t)-1]; c.cutOff(cut) {
			return inconclusive(TLSCutoffIP, fmt.Sprintf("the stream ends (%s) after %d bytes of the body; nothing shows that a neutral name fares better", cut.Transfer.Ended, cut.Transfer.Bytes))
		}
		return nil
	},
}
