package measurements

import (
	"fmt"
	"net/netip"
	"time"
)

// congestionRules: a line that is full is silent, too.
var congestionRules = []Rule{
	lateByThisRound,
	{
		ID:      "line-congested",
		Since:   "2026-11-26.1",
		Says:    "A step ends in silence on a line on which handshakes that do pass take seconds: loss and queues make silence, for one name as for another.",
		Source:  "RFC 6298, section 2; our kernel tests over a queue of 64 kbit/s; Gettys and Nichols, Bufferbloat, CACM 2012 (queues of seconds at home)",
		Needs:   "handshakes of the same round that passed, a quarter of them a second late by the round trips of this round, or by those that the history knows",
		Refuses: "that silence on a full line is anybody's will",
		Judge: func(c *Case) *Finding {
			return c.silentWhileLate(func(a netip.Addr) time.Duration {
				least := c.view.leastConnect()
				if known, ok := c.view.minRTT(a); ok { // where all that is sent waits, the quickest of this round has waited too
					least = min(least, time.Duration(known))
				}
				return least
			})
		},
	},
}

// silentWhileLate finds silence that says nothing, by a round trip to each address.
func (c *Case) silentWhileLate(trip func(netip.Addr) time.Duration) *Finding {
	if !c.Failed() || !c.Silent() {
		return nil
	}
	slow, all := c.view.slowSteps(trip)
	if all == 0 || float64(slow) < congestedShare*float64(all) {
		return nil
	}
	return inconclusive("", fmt.Sprintf("%d of the %d handshakes that passed in this round took a second more than they should: on a line this full, silence says nothing", slow, all))
}

const (
	// slowStep is what a passing step may take beyond its round trips: a second is the first
	// retransmission timeout of a SYN (RFC 6298, section 2), and more than any healthy router queues.
	slowStep = time.Second
	// stepTrips bounds the round trips of a connect or a handshake: TLS 1.3 and QUIC take one, a
	// HelloRetryRequest, a Retry or TLS 1.2 another, and one is for a server that thinks.
	stepTrips = 3
	// congestedShare is the share of slow steps from which silence counts for nothing. Chosen by us: at
	// 5 % of loss one connection in ten is slow, and on a full line most are.
	congestedShare = 0.25
)

// slowSteps counts the app's connects and handshakes that passed, and those of them that were slow, by a round trip to
// each address. A censor that drops some does not make those slow that it lets pass.
func (v *view) slowSteps(trip func(netip.Addr) time.Duration) (slow, all int) {
	for i := range v.m.Observations {
		o := &v.m.Observations[i]
		if o.atHelper() { // far away, perhaps, and no server of the app's
			continue
		}
		switch o.Operation {
		case Connect, TLSHandshake, QUICHandshake:
			if !o.OK() && !o.answered() {
				continue
			}
			all++
			if time.Duration(o.Duration) >= slowStep+stepTrips*trip(o.Addr()) {
				slow++
			}
		}
	}
	return slow, all
}

// leastConnect is the quickest connect of the app in this round: about a round trip; 0 where none passed.
func (v *view) leastConnect() time.Duration {
	least := time.Duration(0)
	for i := range v.m.Observations {
		if o := &v.m.Observations[i]; o.Operation == Connect && o.OK() && !o.atHelper() && (least == 0 || time.Duration(o.Duration) < least) {
			least = time.Duration(o.Duration)
		}
	}
	return least
}
