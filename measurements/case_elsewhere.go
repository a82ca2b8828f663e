package measurements

import (
	"slices"
	"time"
)

// What a case met is held here against other addresses, other targets and other rounds.

// AgainElsewhere says whether silence was met at two addresses, each after its own N had been served there, and
// this is one of them or like them. All addresses of a site may share one back end, which hangs at all of them: they
// count as two where they stand in two networks and neither is known to have heard us, where the names are two, or
// where no back end that hangs explains it at either. An end, or an alert, is said at each address of a site. Over
// QUIC each handshake is a new flow, of which a translator may lose any: one under a name that is answered at another
// address counts for no second.
func (c *Case) AgainElsewhere() bool {
	if !c.Silent() || !c.NeutralServed() {
		return false
	}
	var alike []*Case
	for _, d := range c.all {
		if d.Layer == c.Layer && d.Failed() && d.T.Failure == c.T.Failure && d.NeutralServed() && !(d.Layer == LayerQUIC && d.passesElsewhere()) && (!d.oneFormAlone() || d.spokenBefore()) && (d.Name == c.Name || d.Addr() != c.Addr()) {
			alike = append(alike, d)
		}
	}
	for i, d := range alike {
		for _, e := range alike[:i] {
			if d.Addr() != e.Addr() && (d.Name == c.Name || e.Name == c.Name) && d.isNoEchoOf(e) {
				return true
			}
		}
	}
	return false
}

// isNoEchoOf says whether two cases of silence at two addresses are more than one site's back end that hangs.
func (c *Case) isNoEchoOf(d *Case) bool {
	apart := c.Family == d.Family && network(c.Addr()) != network(d.Addr())
	return c.Name != d.Name || apart && !c.mute() && !d.mute() || c.answering() && d.answering()
}

// answering says whether the server can't be one whose back end for this name hangs: the kernel knows that it never
// heard what we sent, it had begun to answer, or what went unanswered over QUIC is served over TLS there.
func (c *Case) answering() bool {
	return c.unheard() || c.T.Received > 0 && c.Layer != LayerQUIC || c.Layer == LayerQUIC && c.view.answersOverTLS(c.Name, c.Addr())
}

// mute says whether the kernel knows that the server heard all of it, and nothing came. Of QUIC it knows nothing: what
// is mute over TLS under this name at this address is taken to be mute over QUIC as well.
func (c *Case) mute() bool {
	if c.Layer == LayerQUIC {
		return slices.ContainsFunc(c.all, func(d *Case) bool {
			return d.Layer == LayerTLS && d.Name == c.Name && d.Addr() == c.Addr() && d.Silent() && d.mute()
		})
	}
	return c.heard() && c.T.Received == 0
}

// unheard says whether the kernel knows that what we sent on the connection was never acknowledged in full: no
// server has heard it. It counts the SYN as one (RFC 4898, tcpEStatsAppHCThruOctetsAcked; Linux, tcp(7)).
func (c *Case) unheard() bool {
	k := c.T.TCP
	return k != nil && k.BytesAcked > 0 && k.BytesAcked < uint64(c.view.sent(c.T.Conn))
}

// heard says whether it knows that all of it was.
func (c *Case) heard() bool {
	k := c.T.TCP
	return k != nil && k.BytesAcked > 0 && !c.unheard()
}

// AgainLater says whether the same finding stood in an earlier round, longer ago than an episode lasts, and no
// success came in between.
func (c *Case) AgainLater(s Signature, episode time.Duration) bool {
	return c.view.history.found(seriesKey(c.view.m.App, c.Target.ID, c.Layer, c.Family, s), episode)
}

// followed says whether the history of this network follows such a finding here, however weak.
func (c *Case) followed(s Signature) bool {
	return c.view.history.follows(seriesKey(c.view.m.App, c.Target.ID, c.Layer, c.Family, s))
}

// FailsAlikeInTwoNetworks says whether an endpoint of another target of the app, in another network,
// fails alike at this layer. One site that is down fails at all its addresses: that is not it; nor is a form of
// the app's exchange that its servers may not speak, nor a connect that is lost while others of its target pass.
func (c *Case) FailsAlikeInTwoNetworks() bool { return len(c.alikeInOtherNetworks()) > 0 }

func (c *Case) alikeInOtherNetworks() (alike []*Case) {
	if c.lostAlone(c.former) {
		return nil
	}
	here := network(c.Addr())
	for _, d := range c.all {
		if d.Target.ID != c.Target.ID && d.Layer == c.Layer && d.Family == c.Family && d.Failed() && d.T.Failure == c.T.Failure && d.Addr().IsValid() && network(d.Addr()) != here && !d.oneFormAlone() && !d.lostAlone(c.former) {
			alike = append(alike, d)
		}
	}
	return alike
}

// lostAlone says whether a connect met silence, or was refused, and another one passed, to the same place or to another
// address of the target over the same family: who has no room for a new flow, here or there, loses one so. Formerly
// a refusal did not count.
func (c *Case) lostAlone(former bool) bool {
	if c.Layer != LayerTCP || !c.Silent() && (former || !c.T.refusedConnect()) {
		return false
	}
	return c.connectsToo() || slices.ContainsFunc(c.all, func(d *Case) bool {
		return d.Target.ID == c.Target.ID && d.Layer == LayerTCP && d.Family == c.Family && d.Addr() != c.Addr() && (!d.Failed() || d.connectsToo())
	})
}

// connectsToo says whether some connect to the same endpoint passed in this round: no name stands in a SYN, so
// that a block of the address would have met it as well.
func (c *Case) connectsToo() bool {
	for i := range c.view.m.Observations {
		if o := &c.view.m.Observations[i]; o.Operation == Connect && o.OK() && o.Endpoint == c.Endpoint {
			return true
		}
	}
	return false
}

// passesElsewhere says whether the same name is answered at this layer at another address of the family.
func (c *Case) passesElsewhere() bool {
	return slices.ContainsFunc(c.all, func(d *Case) bool {
		return d.Layer == c.Layer && d.Family == c.Family && d.Name == c.Name && d.Addr() != c.Addr() && !d.Failed()
	})
}

// failsAlikeUpAtReference says whether one of those passes for R as well; over IPv6 it counts only where not all
// of it may be lost between two operators.
func (c *Case) failsAlikeUpAtReference() bool {
	return !c.lostOnIPv6Alone() && slices.ContainsFunc(c.alikeInOtherNetworks(), (*Case).UpAtReference)
}

// OtherPortPasses says whether another port of the same address was open to us (control P).
func (c *Case) OtherPortPasses() bool {
	for _, d := range c.all {
		if d.Layer == LayerTCP && d.Endpoint != c.Endpoint && d.Addr() == c.Addr() && !d.Failed() {
			return true
		}
	}
	return false
}
