package measurements

import (
	"fmt"
	"slices"
)

const (
	// extremely is the ratio from which a difference counts by itself (OONI dd-007).
	extremely = 10
	// plateau is the goodput at or below which a policer is at work, and plainly the ratio that must go
	// with it (DESIGN section 4, throttle.*; Xue et al., IMC 2021: 130 to 150 kbit/s).
	plateau     = 256_000
	plainly     = 3
	medianNeeds = 3
)

var throttleRules = []Rule{
	slowOnceWithName,
	{
		ID:         "volume-slow-with-name",
		Since:      "2026-11-26.1",
		Says:       "The same object from the same server comes many times slower under the target's name than under a neutral one, taken in turns.",
		Layers:     []Layer{layerVolume},
		Source:     volumeSource,
		Signatures: []Signature{ThrottleSNI},
		Needs:      "three transfers with each name, taken in turns, the slowest of control N's faster than the fastest of the target's, and medians that lie far apart",
		Refuses:    "that a busy line or a slow server holds anything back; more than a suspicion of what has not been so for hours, or where the neutral name leads to another object; and any where it is as slow for the reference vantage",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			t, n := goodputs(c.transfers(T)), goodputs(c.transfers(N))
			if !heldBack(t, n) {
				return nil
			}
			reasons := []string{fmt.Sprintf("%.0f kbit/s with the target's name, %.0f kbit/s with a neutral one (medians of %d and %d)", median(t)/1e3, median(n)/1e3, len(t), len(n))}
			confidence := Suspected
			switch {
			case c.slowAtReference():
				return inconclusive(ThrottleSNI, append(reasons, c.rateAtReference()+": the server holds this name back for everybody")...)
			case !c.oneObject():
				reasons = append(reasons, "the neutral name does not lead to the same object: a server may serve its names at different rates")
			case !c.AgainLater(ThrottleSNI, server):
				reasons = append(reasons, "seen for a few hours at most: a server may hold one of its names back for a while")
			default:
				confidence, reasons = Likely, append(reasons, "so it was in an earlier round, and it is the same object")
			}
			return &Finding{State: Throttled, Signature: ThrottleSNI, Confidence: confidence, Reasons: reasons}
		},
	},
	slowWithoutReference,
	{
		ID:         "volume-slow-at-address",
		Since:      "2026-11-26.1",
		Says:       "Whatever the name, the object comes slowly from one address, and many times faster from another.",
		Layers:     []Layer{layerVolume},
		Source:     volumeSource,
		Signatures: []Signature{ThrottleIP},
		Needs:      "three slow transfers of target and control N each, and three of another address that lie between the first and the last of them; to call it throttled, the reference vantage's word that it is fast there",
		Refuses:    "more than a suspicion; and whether somebody dislikes the address, the way there is crowded, or the server is",
		Confidence: Suspected,
		Judge: func(c *Case) *Finding {
			t := goodputs(c.transfers(T))
			if c.transport() == "quic" || !c.slowHere(t) {
				return nil
			}
			there := c.fastElsewhere(t)
			if there == 0 {
				return nil
			}
			reason := fmt.Sprintf("%.0f kbit/s from this address under every name, %.0f kbit/s from another", median(t)/1e3, there/1e3)
			if c.fastAtReference() {
				return &Finding{State: Throttled, Signature: ThrottleIP, Confidence: Suspected, Reasons: []string{reason, c.rateAtReference() + "; a crowded way that is ours alone looks the same"}}
			}
			return inconclusive(ThrottleIP, reason+"; a crowded way or server looks the same")
		},
	},
	{
		ID:         "volume-slow-among-fast",
		Since:      "2026-11-26.1",
		Says:       "Whatever the name, the target's objects come at a policer's rate, and neutral hosts' plainly faster, taken in turns.",
		Layers:     []Layer{layerVolume},
		Source:     "Turkey Blocks, 2016-11-04 (throttling of all of an app's sites by operators); DESIGN section 4, throttle.ip and rule 6",
		Signatures: []Signature{ThrottleIP},
		Needs:      "three slow transfers of target and control N each, and three of neutral hosts of two operators that lie between the first and the last of them; to call it throttled, the reference vantage's word that it is fast there, or another target of the app in another network that fares alike, and both faster here before",
		Refuses:    "more than a suspicion without both of R's word and a second network, for a day without a pause; and whether a server that was never seen to be faster paces what it sends, is far away, or crowded",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			if !c.slowAmongFast() {
				return nil
			}
			reason := fmt.Sprintf("%.0f kbit/s from this address under every name, %.0f kbit/s and more from neutral hosts of two operators meanwhile", median(goodputs(c.transfers(T)))/1e3, c.neutralRate()/1e3)
			switch {
			case c.fastAtReference():
				alike := func(d *Case) bool { return d.slowAmongFast() && d.fastAtReference() }
				return c.heldByReference(Finding{State: Throttled, Signature: ThrottleIP, Reasons: []string{reason}}, alike, c.rateAtReference())
			case c.slowAtReference():
				return inconclusive(ThrottleIP, reason, c.rateAtReference()+": it is slow for everybody")
			case !c.fastBefore():
				return inconclusive(ThrottleIP, reason, "it has not been seen to come faster on this network: a server that paces what it sends, or is far away, looks the same")
			case !c.slowInTwoNetworks():
				return inconclusive(ThrottleIP, reason, "it came faster here before; a crowded way or server looks the same")
			}
			return &Finding{State: Throttled, Signature: ThrottleIP, Confidence: Suspected, Reasons: []string{reason, "another target of the app, in another network, fares alike, and both came faster here before"}}
		},
	},
	quicWithoutReference,
	{
		ID:         "volume-slow-over-quic",
		Since:      "2026-11-26.1",
		Says:       "The same object from the same address comes at a policer's rate over QUIC, and plainly faster over TCP, taken in turns.",
		Layers:     []Layer{layerVolume},
		Source:     volumeSource,
		Signatures: []Signature{ThrottleProtocol},
		Needs:      "three transfers over each, all over QUIC at or below a policer's plateau, and all over TCP at least three times faster; to call it throttled, the reference vantage's word that QUIC is fast there, and QUIC that is fast here from another network",
		Refuses:    "more than a suspicion; and whether somebody holds QUIC back, or the line or the server all of UDP",
		Confidence: Suspected,
		Judge: func(c *Case) *Finding {
			// A policer's plateau alone counts: a server that sends more at once over TCP, or a proxy for TCP on
			// the way, makes QUIC ten times slower too.
			t, tcp := goodputs(c.transfers(T)), c.overTCP()
			if c.transport() != "quic" || len(t) < medianNeeds || len(tcp) < medianNeeds || slices.Max(t) > plateau || slices.Max(t)*plainly > slices.Min(tcp) {
				return nil
			}
			reason := fmt.Sprintf("%.0f kbit/s over QUIC, %.0f kbit/s over TCP", median(t)/1e3, median(tcp)/1e3)
			switch {
			case !c.fastAtReference():
				return inconclusive(ThrottleProtocol, reason+"; a line or a server that holds all UDP back looks the same")
			case !c.otherQUICFast(slices.Max(t)):
				return inconclusive(ThrottleProtocol, reason, c.rateAtReference()+" over QUIC; a line, or a router at home, that holds all UDP back looks the same")
			}
			return &Finding{State: Throttled, Signature: ThrottleProtocol, Confidence: Suspected, Reasons: []string{reason, c.rateAtReference() + " over QUIC, and here QUIC is fast from another network"}}
		},
	},
}

// slowHere says that the target's object, and a neutral name's, came slowly from here each time: both are at
// or below a policer's plateau.
func (c *Case) slowHere(t []float64) bool {
	n := goodputs(c.transfers(N))
	return len(t) >= medianNeeds && len(n) >= medianNeeds && max(slices.Max(t), slices.Max(n)) <= plateau
}

// slowAmongFast says that this address is slow under every name, and neutral hosts are plainly faster meanwhile.
func (c *Case) slowAmongFast() bool {
	t := goodputs(c.transfers(T))
	return c.transport() != "quic" && c.slowHere(t) && max(slices.Max(t), slices.Max(goodputs(c.transfers(N))))*plainly <= c.neutralRate()
}

// fastBefore says whether the target's transfers came faster than a policer lets them on this network, once.
func (c *Case) fastBefore() bool {
	_, known := c.view.history.lastOK(placeKey{c.view.m.App, c.Target.ID, layerGoodput, c.Family})
	return known
}

// slowInTwoNetworks says whether another target of the app fares alike in another network.
func (c *Case) slowInTwoNetworks() bool {
	return slices.ContainsFunc(c.all, func(d *Case) bool {
		return d.Target.ID != c.Target.ID && d.Family == c.Family && network(d.Addr()) != network(c.Addr()) && d.slowAmongFast() && d.fastBefore()
	})
}

// fastElsewhere is the same object's goodput at another address of the target, where it came many times
// faster, in the midst of the slow ones; 0 where there is none.
func (c *Case) fastElsewhere(t []float64) float64 {
	own := c.transfers(T)
	for _, d := range c.all {
		if d == c || d.Target.ID != c.Target.ID || d.Name != c.Name || d.transport() != c.transport() || d.Addr() == c.Addr() {
			continue
		}
		other := goodputs(slices.DeleteFunc(slices.Clone(d.transfers(T)), func(o *Observation) bool {
			return o.Started.Before(own[0].Started) || o.Started.After(own[len(own)-1].Started)
		}))
		if len(other) >= medianNeeds && slow(median(t), median(other)) && slices.Max(t) < slices.Min(other) {
			return median(other)
		}
	}
	return 0
}

// overTCP lists the goodputs of the same object at the same address over TCP.
func (c *Case) overTCP() []float64 {
	for _, d := range c.all {
		if d.Target.ID == c.Target.ID && d.Endpoint == c.Endpoint && d.Name == c.Name && d.transport() != "quic" {
			return goodputs(d.transfers(T))
		}
	}
	return nil
}

// otherQUICFast says whether QUIC from another network came plainly faster in this round than the fastest of ours.
func (c *Case) otherQUICFast(than float64) bool {
	return slices.ContainsFunc(c.all, func(d *Case) bool {
		rates := goodputs(d.transfers(T))
		return d.transport() == "quic" && d.Family == c.Family && network(d.Addr()) != network(c.Addr()) && len(rates) > 0 && slices.Min(rates) >= plainly*than
	})
}

// transport is "quic" for what came over QUIC, else "tls".
func (c *Case) transport() string { return c.T.Transport }

// slow says whether a target's goodput is that of somebody who is held back.
func slow(target, neutral float64) bool {
	return target*extremely <= neutral || target <= plateau && target*plainly <= neutral
}

// goodputs lists those that say anything.
func goodputs(transfers []*Observation) []float64 {
	var out []float64
	for _, o := range transfers {
		if g := o.Transfer.Goodput(); o.OK() && g > 0 {
			out = append(out, g)
		}
	}
	return out
}

func median(in []float64) float64 {
	sorted := slices.Sorted(slices.Values(in))
	return sorted[len(sorted)/2]
}
