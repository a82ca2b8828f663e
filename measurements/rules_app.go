package measurements

import (
	"fmt"
	"net/netip"
	"slices"
)

// appRules judge the apps' own first exchanges. Over a verified channel what the peer says is the service's own
// word, and no filter can tell it from anything else; elsewhere only the exchange itself tells who answers.
var appRules = []Rule{
	{
		ID:         "app-clock",
		Since:      "2026-11-23.2",
		Says:       "The certificates prove the app's server but for their dates: a clock is wrong, ours most likely.",
		Layers:     []Layer{LayerApp},
		Source:     "RFC 5280, section 4.1.2.5 (the meaning of dates)",
		Signatures: []Signature{LocalClock},
		Needs:      "a chain that is signed by the app's root and for the server's key, outside its dates",
		Refuses:    "that somebody who has the app's own key is an impostor",
		Judge: func(c *Case) *Finding {
			if !c.Failed() || c.T.App == nil || !c.T.App.Dated {
				return nil
			}
			return inconclusive(LocalClock, "the server has the app's key, and its certificates do not hold at our time")
		},
	},
	{
		ID:         "app-inside-verified",
		Since:      "2026-11-23.2",
		Says:       "The exchange goes wrong inside a channel that has proved the server: it is the service's own doing, or that of a path that has failed before.",
		Layers:     []Layer{LayerApp},
		Source:     "DESIGN section 4, http.* over verified TLS",
		Signatures: []Signature{AppTimeout, AppReset, AppEOF},
		Needs:      "an exchange over verified TLS or QUIC that fails",
		Refuses:    "that a filter can tell one exchange from another inside a channel that it can't read",
		Judge:      insideVerified,
	},
	{
		ID:         "app-imposter",
		Since:      "2026-11-23.2",
		Says:       "What answers speaks the app's protocol, and can't prove that it is the app.",
		Layers:     []Layer{LayerApp},
		Source:     "core.telegram.org/mtproto/auth_key (the checks of step 2 and 6); Noise, revision 34",
		Signatures: []Signature{AppImposterSig},
		Needs:      "an answer that breaks the protocol's own proof; for an unknown key, another of the app's servers that has a known one",
		Refuses:    "that a server with a new key is false while no other shows a key that we know",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			if c.T.Failure != AppImposter || c.T.App == nil {
				return nil
			}
			const says = "it speaks the app's protocol and does not prove itself: "
			switch {
			case !c.T.App.mayBeNew():
				return blocked(AppImposterSig, Likely, says+c.T.Error)
			case c.view.anotherProves(c):
				return blocked(AppImposterSig, Likely, says+c.T.Error, "another of the app's servers has the key that we know")
			}
			return inconclusive(AppImposterSig, says+c.T.Error, "no other of the app's servers has shown a key that we know: the app may have changed it")
		},
	},
	{
		ID:         "app-refuses",
		Since:      "2026-11-23.2",
		Says:       "The app's transport answers with an error: it is there, and does not want us now.",
		Layers:     []Layer{LayerApp},
		Source:     "core.telegram.org/mtproto/mtproto-transports#transport-errors",
		Signatures: []Signature{ServiceRefused},
		Needs:      "an error of the app's own transport",
		Refuses:    "that a server's refusal is a block; that it is the server's, since nothing proves it",
		Judge: func(c *Case) *Finding {
			if c.T.Failure != AppRefused || c.T.App == nil {
				return nil
			}
			return inconclusive(ServiceRefused, fmt.Sprintf("the app's transport answers with the error %d, which nothing proves to be the server's", c.T.App.Code))
		},
	},
	{
		ID:         "app-not-spoken",
		Since:      "2026-11-23.2",
		Says:       "The answer is not the app's protocol: a proxy that answers for everybody, or somebody in the server's place.",
		Layers:     []Layer{LayerApp},
		Source:     "Weaver et al., Here Be Web Proxies, PAM 2014 (transparent proxies on port 80)",
		Signatures: []Signature{AppImposterSig},
		Needs:      "an answer in another protocol",
		Refuses:    "that a proxy which does not know the protocol means to block it",
		Judge: func(c *Case) *Finding {
			if c.T.Failure != AppNotSpoken || c.Layer != LayerApp {
				return nil
			}
			return inconclusive(AppImposterSig, "what answers does not speak the app's protocol: "+c.T.Error)
		},
	},
	{
		ID:         "app-dies-in-one-form",
		Since:      "2026-11-26.1",
		Says:       "The app's first bytes die in one framing, and another port of the same address answers another.",
		Layers:     []Layer{LayerApp},
		Source:     "core.telegram.org/mtproto/mtproto-transports (each framing has first bytes of its own)",
		Signatures: []Signature{AppTimeout, AppReset, AppEOF},
		Needs:      "another framing that is answered at the same address; to call it blocked, control N answered at the same place just before, and this very framing answered there in an earlier round on this network; or evidence from the path",
		Refuses:    "that a framing is filtered which the server may never have spoken there; that it is the framing, where only another port answers",
		Confidence: Likely,
		Judge:      diesInOneForm,
	},
	plainInOneForm,
	{
		ID:         "app-dies-plain",
		Since:      "2026-11-26.1",
		Says:       "The app's first bytes die where they can be recognised, and pass, at the same place just before, where they look like chance.",
		Layers:     []Layer{LayerApp},
		Source:     "core.telegram.org/mtproto/mtproto-transports#transport-obfuscation (made for such filters); DESIGN section 4, app.*",
		Signatures: []Signature{AppTimeout, AppReset, AppEOF},
		Needs:      "control N in bytes without a form that was answered at the same place just before; two framings of the target that die so, or one that was answered at this place before, or evidence from the path",
		Refuses:    "that a framing is filtered which the server may never have spoken there; more than a suspicion of one silence or one end",
		Confidence: Likely,
		Judge:      diesPlain,
	},
	hereInOneForm,
	{
		ID:         "app-dies-here",
		Since:      "2026-11-26.1",
		Says:       "The connection stands, and the app's first bytes are not answered, as they were on this network before, while other servers of the app answer theirs.",
		Layers:     []Layer{LayerApp},
		Source:     "DESIGN section 4, app.* and rule 6",
		Signatures: []Signature{AppTimeout, AppReset, AppEOF, UDPTimeoutSTUN},
		Needs:      "an exchange that dies; to call it blocked, evidence from the path, a reference vantage, or a second network that fails alike, and for that no single framing and no single port",
		Refuses:    "that a server is filtered which has never answered here, or which may be down",
		Confidence: Likely,
		Judge:      diesUnspoken,
	},
}

var appSignature = map[string]Signature{"timeout": AppTimeout, "reset": AppReset, "eof": AppEOF}

// insideVerified judges what fails inside a channel that has proved the server. That an answer lacks what the app
// once sent is no failure of anybody's: the channel's own proof stands.
func insideVerified(c *Case) *Finding {
	if !c.Failed() || c.T.Transport != "tls" && c.T.Transport != "quic" {
		return nil
	}
	if p := c.T.App; p != nil && (p.Protocol == LEGY || p.Protocol == HeaderProtocol) {
		return &Finding{State: OK, Reasons: []string{"the server has proved itself by its certificate; its answer lacks what the app is known to send"}}
	}
	if s := appSignature[c.Kind()]; s != "" {
		return inconclusive(s, "the exchange dies inside a channel that has proved the server")
	}
	return inconclusive("", "inside a channel that has proved the server, the app's exchange ends with "+c.T.Failure.Reason()+": the app may have changed it")
}

// mayBeNew says whether a failed proof may be that of an honest server with a key that we don't know yet.
func (h *Handshake) mayBeNew() bool { return h.Unknown || h.Protocol == WhatsAppNoise }

// anotherProves says whether another of the app's servers of that protocol has shown what this one can't.
func (v *view) anotherProves(c *Case) bool {
	for i := range v.m.Observations {
		o := &v.m.Observations[i]
		if o.Operation == AppHandshake && o.OK() && o.App != nil && o.App.Protocol == c.T.App.Protocol && o.Endpoint != c.Endpoint {
			return true
		}
	}
	return false
}

func diesUnspoken(c *Case) *Finding {
	s := appSignature[c.Kind()]
	if c.Failed() && c.T.App != nil && c.T.App.Protocol == STUN {
		return unansweredSTUN(c)
	}
	switch {
	case s == "":
		return nil
	case c.NeutralFailedAlike():
		return whateverTheName(c, s, "the app's first bytes die, recognisable or not")
	case portOf(c.Endpoint) == 80:
		return inconclusive(s, "the app's first bytes die on port 80, where proxies answer for everybody and know HTTP alone")
	case c.oneFormAlone():
		return oneForm(c, s, "the connection stands, and the app's first bytes are not answered")
	case c.provedOnAnotherPort():
		return diesOnOnePort(c, s, "on another port of the same address the server has shown the app's own key")
	case c.T.App != nil && c.T.App.Protocol == WhatsAppNoise && c.answeredBefore() && !c.anotherPortDied():
		return diesOnOnePort(c, s, "no other port of the same address is seen to die as well")
	case c.T.App != nil && c.T.App.Protocol == WhatsAppNoise && !c.answeredBefore():
		return inconclusive(s, "the connection stands, and the app's first bytes are not answered; they have never been on this network")
	}
	return whateverTheName(c, s, "the connection stands, and the app's first bytes are not answered")
}

// provedOnAnotherPort says whether the server has shown the app's own key at another port of the same address, in
// the same protocol.
func (c *Case) provedOnAnotherPort() bool {
	if c.T.App == nil || c.T.App.Protocol != WhatsAppNoise {
		return false
	}
	for i := range c.view.m.Observations {
		o := &c.view.m.Observations[i]
		if o.Control == T && o.OK() && o.form() != "" && o.App.Protocol == c.T.App.Protocol && o.App.Proof == ProvedIdentity && o.Addr() == c.Addr() && o.Endpoint != c.Endpoint {
			return true
		}
	}
	return false
}

// anotherPortDied says whether the target's exchange died at another port of the same address, too.
func (c *Case) anotherPortDied() bool {
	return slices.ContainsFunc(c.all, func(d *Case) bool {
		return d.Layer == LayerApp && d.Target.ID == c.Target.ID && d.Addr() == c.Addr() && d.Endpoint != c.Endpoint && d.Failed() && d.Kind() != ""
	})
}

// diesOnOnePort weighs a failure on one port of a server: like what fails whatever the name, but that two networks
// which fail alike say nothing. They are one operator's, and a port is given up everywhere at once.
func diesOnOnePort(c *Case, s Signature, why string) *Finding {
	const says = "the connection stands, and on this port the app's first bytes are not answered"
	if c.FromThePath() {
		return blocked(s, Likely, says, why, "the answer came faster than the server can be reached")
	}
	if f := byReference(c, s, says, why); f != nil {
		return f
	}
	return inconclusive(s, append(c.referenceReason(), says, why, "its operator may have given up the port")...)
}

func portOf(endpoint string) uint16 {
	ap, err := netip.ParseAddrPort(endpoint)
	if err != nil {
		return 0
	}
	return ap.Port()
}

// answeredBefore says whether this target's own exchange has ever passed on this network.
func (c *Case) answeredBefore() bool {
	_, known := c.view.history.lastOK(placeKey{c.view.m.App, c.Target.ID, LayerApp, c.Family})
	return known
}

// unansweredSTUN judges a binding request that died: STUN elsewhere has to have been answered in this round.
func unansweredSTUN(c *Case) *Finding {
	if !c.Silent() {
		return inconclusive(UDPTimeoutSTUN, "the server's port says "+c.T.Failure.Reason())
	}
	for i := range c.view.m.Observations {
		o := &c.view.m.Observations[i]
		if o.Control == N && o.Operation == AppHandshake && o.Target == c.Target.ID && o.Family == c.Family && o.OK() {
			return whateverTheName(c, UDPTimeoutSTUN, "STUN to the app is unanswered, and STUN elsewhere is answered")
		}
	}
	return inconclusive(UDPTimeoutSTUN, "STUN to the app is unanswered, and nothing shows that it is answered elsewhere")
}
