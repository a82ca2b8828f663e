package measurements

import (
	"slices"
	"testing"
	"time"
)

// A round on one network never confirms what another one's rounds began, and back on the first one it
// goes on where it was.
func TestEpochsNeverMix(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.epoch = "home"
	h.look(Timeout, "")
	h.at = h.at.Add(20 * time.Minute)
	h.epoch = "café"
	if l := h.look(Timeout, ""); l.Confidence != Suspected {
		t.Errorf("on another network it is %s at once", l.Confidence)
	}
	if l := h.looks(24*time.Hour, always(ConnectionReset, "")); l.Confidence != Confirmed {
		t.Errorf("a day of resets there is %s", l.Confidence)
	}
	h.epoch = "home"
	l := h.look(Timeout, "")
	if l.Signature != TLSTimeoutSNI || l.Confidence != Likely {
		t.Errorf("back home it is %s %s, want that the silence came again", l.Signature, l.Confidence)
	}
	if got := h.standing(); got != "tls.timeout.sni likely" {
		t.Errorf("at home stands %q, and not what was seen elsewhere", got)
	}
}

// A round in whose course the network changed calls nothing blocked, teaches nothing, and ends nothing
// that stands.
func TestRoundThatMoved(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.epoch = "home"
	h.looks(24*time.Hour, always(ConnectionReset, ""))
	stood := h.standing()
	if stood != "tls.reset.sni confirmed" {
		t.Fatalf("at home stands %q", stood)
	}
	for _, died := range []Failure{ConnectionReset, ""} {
		r := h.round(died, "")
		r.Gate.Vantage.Moved, r.Apps[0].Vantage.Moved = true, true
		before, _ := h.h.MarshalJSON()
		v := Judge(&r, h.h)
		h.h.Learn(&r, &v)
		after, _ := h.h.MarshalJSON()
		if string(before) != string(after) {
			t.Error("a round that moved has taught something")
		}
		for _, l := range v.Apps[0].Targets[0].Layers {
			if l.State == Blocked || died != "" && l.Layer == LayerTLS && (l.State != Inconclusive || l.Rule != "line-moved") {
				t.Errorf("found %s %s by %s", l.Layer, l.State, l.Rule)
			}
		}
		if !slices.Contains(v.Network.Reasons, movedReason) {
			t.Errorf("reasons of the network: %q", v.Network.Reasons)
		}
		h.last = v
		if got := h.standing(); got != stood || len(v.Ended) > 0 {
			t.Errorf("after it stands %q, ended %v", got, v.Ended)
		}
	}
}

// A proof that is seen in a round that moved is of one of two networks.
func TestProofInARoundThatMoved(t *testing.T) {
	t.Parallel()
	c := &Case{view: &view{line: &Line{Moved: true}}}
	f := unplaced(c, &Finding{State: Blocked, Signature: DNSInjectBlockpage, Confidence: Confirmed, Rule: "dns-known-block-address", Reasons: []string{"a page"}})
	if f.State != Inconclusive || f.Confidence != "" || f.Signature != DNSInjectBlockpage || f.Rule != "dns-known-block-address" || len(f.Reasons) != 2 {
		t.Errorf("%+v", f)
	}
	c.view.line.Moved = false
	if f := unplaced(c, &Finding{State: Blocked}); f.State != Blocked {
		t.Errorf("%+v", f)
	}
}

// A machine that is offline for a while has left no network.
func TestOfflineIsNoEpoch(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.epoch = "home"
	h.looks(24*time.Hour, always(ConnectionReset, ""))
	before, _ := h.h.MarshalJSON()
	h.h.Learn(&Round{Started: h.at}, &RoundVerdict{})
	after, _ := h.h.MarshalJSON()
	if string(before) != string(after) {
		t.Error("a round without a network has taught something")
	}
	if len(h.h.Suspected(h.at)) == 0 {
		t.Error("offline, the suspicion is gone")
	}
}

// A tunnel is no trouble of the line: the gate's state stays, and a trouble of our own is named rather.
func TestTunnelledLine(t *testing.T) {
	t.Parallel()
	const reason = "a tunnel is the default route: a vantage of its own, without the home's country and network"
	tunnel := Vantage{Epoch: "vpn", Tunnel: true}
	works, portal, untested := neighbours("vpn"), Measurement{Vantage: tunnel}, Measurement{Vantage: tunnel}
	works.Vantage = tunnel
	for range 2 {
		portal.Observations = append(portal.Observations, Observation{Target: "a", Operation: HTTPExchange, Transport: "tcp", Family: IPv4, HTTP: &HTTP{Path: "/generate_204", Status: 200}})
	}
	for _, test := range []struct {
		gate      Measurement
		state     State
		signature Signature
	}{{works, OK, LocalTunnel}, {portal, Local, LocalCaptivePortal}, {untested, Inconclusive, LocalTunnel}, {neighbours("home"), OK, ""}} {
		v := judgeLine(&test.gate).Verdict()
		if v.State != test.state || v.Signature != test.signature || slices.Contains(v.Reasons, reason) != test.gate.Vantage.Tunnel {
			t.Errorf("got %s %s, %q, want %s %s", v.State, v.Signature, v.Reasons, test.state, test.signature)
		}
	}
}
