package measurements

import "slices"

// offeredAlone judges QUIC where no word of the catalogue asks for it, and the server's own Alt-Svc alone sends
// clients there. Some servers offer what they don't have, and some go on offering what they had.
var offeredAlone = Rule{
	ID:         "quic-offer-unproved",
	Since:      "2026-11-26.1",
	Says:       "QUIC fails where the server's offer alone sends clients, and either it never passed here or the server does not offer it any more.",
	Layers:     []Layer{LayerQUIC},
	Source:     "RFC 7838, sections 2.2 and 3.1 (an offer is cached, and may outlive what it offers)",
	Signatures: []Signature{QUICTimeoutSNI, QUICTimeoutEndpoint, QUICRefused, QUICVersionSig, QUICCloseSig, QUICAlertSNI},
	Needs:      "a target whose catalogue does not ask for QUIC",
	Refuses:    "that an offer alone makes a server that has QUIC: it has to have passed on this network, and an answer over verified TLS in this round, if there is one, has to offer it still",
	Judge: func(c *Case) *Finding {
		if c.Target.asksForQUIC() {
			return nil
		}
		_, passed := c.view.history.lastOK(placeKey{c.view.m.App, c.Target.ID, LayerQUIC, c.Family})
		s := endpointSignature(c.T.Failure)
		if _, alert := c.T.Failure.Alert(); alert {
			s = QUICAlertSNI
		}
		if s == QUICTimeoutEndpoint && c.NeutralPassed() {
			s = QUICTimeoutSNI
		}
		switch {
		case s == "":
			return nil
		case !passed:
			return inconclusive(s, "the server's offer of h3 is all that speaks for QUIC here: it never passed on this network, as far as is known")
		case !c.view.altSvc[c.Name] && c.view.answersAnywhere(c.Name):
			return inconclusive(s, "the server offered h3 earlier, and does not in this round")
		}
		return nil
	},
}

// asksForQUIC says whether the catalogue does. Where its words are not known, it is taken for granted.
func (t *TargetInfo) asksForQUIC() bool { return len(t.Probes) == 0 || slices.Contains(t.Probes, "h3") }

// answersAnywhere says whether the site of a name answered an exchange over verified TLS in this round.
func (v *view) answersAnywhere(name string) bool {
	return slices.ContainsFunc(v.m.Observations, func(o Observation) bool {
		return o.Operation == HTTPExchange && o.Control == T && o.Transport == "tls" && o.Name == name && o.OK() && o.HTTP.verified() && o.HTTP.Status != 0
	})
}

// askedFor leaves out QUIC where nobody but the server's offer asks for it: what works over TCP works, since every
// client that heard the offer there goes back to it (RFC 7838, section 2.4).
func (t *TargetInfo) askedFor(layers []LayerVerdict) []LayerVerdict {
	if t.asksForQUIC() {
		return layers
	}
	return slices.DeleteFunc(slices.Clone(layers), func(l LayerVerdict) bool { return l.Layer == LayerQUIC })
}
