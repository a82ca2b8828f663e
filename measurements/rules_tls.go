package measurements

import (
	"fmt"
	"strings"
)

// unrecognizedName is the alert of a server that does not serve the name (RFC 6066, section 3).
const unrecognizedName = 112

var tlsRules = []Rule{
	{
		ID:         "tls-block-page",
		Says:       "Whoever answers in the server's place serves a known block page.",
		Layers:     []Layer{LayerTLS},
		Source:     "ooni/blocking-fingerprints",
		Signatures: []Signature{TLSNotTLSSig},
		Needs:      "the first bytes of an answer that is no TLS",
		Refuses:    "who serves the page",
		Confidence: Confirmed,
		Judge: func(c *Case) *Finding {
			if c.T.Failure != TLSNotTLS || c.T.TLS == nil {
				return nil
			}
			if cc := knownBlockPage(&HTTP{Body: c.T.TLS.FirstBytes}); cc != "" {
				return blocked(TLSNotTLSSig, Confirmed, "a ClientHello is answered with a block page known from "+cc)
			}
			return nil
		},
	},
	{
		ID:         "tls-not-tls",
		weighs:     true,
		Says:       "A ClientHello with the target's name is answered with something that is no TLS.",
		Layers:     []Layer{LayerTLS},
		Source:     "ooni/probe#2410 (Pakistan)",
		Signatures: []Signature{TLSNotTLSSig},
		Needs:      "an answer that is no TLS, and control N at the same place just before",
		Refuses:    "that the name matters where control N was not answered with TLS",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			switch {
			case c.T.Failure != TLSNotTLS:
				return nil
			case c.NeutralPassed():
				return blocked(TLSNotTLSSig, Likely, "the target's name is answered with no TLS; a neutral name, just before, was answered with TLS")
			case c.NeutralFailedAlike():
				return whateverTheName(c, TLSNotTLSSig, "whatever the name, the answer is no TLS")
			}
			return inconclusive(TLSNotTLSSig, "the answer is no TLS; no neutral name was tried there just before")
		},
	},
	{
		ID:         "tls-foreign-chain",
		weighs:     true,
		Says:       "A handshake completes under a chain that leads to no root, and neutral hosts' chains do not.",
		Layers:     []Layer{LayerTLS},
		Source:     "Sundara Raman et al., Investigating Large Scale HTTPS Interception in Kazakhstan, IMC 2020",
		Signatures: []Signature{TLSMITM},
		Needs:      "a completed handshake under a chain to no root, an address that control D or the catalogue vouches for, and control N under its own chain there, or another site in another network with a chain of the same issuer, each for the site's name",
		Refuses:    "that a private authority of the server is an interception; more than a suspicion where an edge may have lost the certificate of this one name",
		Confidence: Confirmed,
		Judge:      foreignChain,
	},
	{
		ID:      "tls-certificate-of-the-server",
		Says:    "The chain leads to a known root but does not hold for the name or the date: the server's own mistake, or our clock's.",
		Layers:  []Layer{LayerTLS, LayerQUIC},
		Source:  "ooni/probe-cli badSSL scenarios; RFC 5280, section 6",
		Needs:   "a completed handshake whose certificate does not hold for the name or the date",
		Refuses: "that a wrong certificate is a forged one",
		Judge: func(c *Case) *Finding {
			if !c.T.Failure.IsCertificate() {
				return nil
			}
			return inconclusive("", fmt.Sprintf("the certificate is refused (%s), under a known root or for reasons that an expired one has as well", c.T.Failure))
		},
	},
	{
		ID:         "tls-shape",
		Says:       "One shape of our hello passes and another dies, same place and name: a filter that reads shapes, a path that loses large packets, or a server that refuses post-quantum hellos.",
		Layers:     []Layer{LayerTLS},
		Source:     "DESIGN section 4, tls.*.fingerprint and local.mtu",
		Signatures: []Signature{TLSTimeoutFingerprint, TLSResetFingerprint},
		Needs:      "a hello of one shape that passed where one of another shape died, same place and name",
		Refuses:    "whether a filter, the path or the server minds the shape",
		Judge: func(c *Case) *Finding {
			if !c.Failed() || c.Passed == nil || c.Kind() == "" {
				return nil
			}
			return inconclusive(fingerprintSignature[c.Kind()], "the small hello passes and the large one does not; nothing tells a filter from the path or the server")
		},
	},
	{
		ID:         "shape-alone",
		Since:      "2026-11-23.2",
		Says:       "Only the large hello was tried, and it dies with a neutral name as well: a path or a server that loses large hellos, anywhere.",
		Layers:     []Layer{LayerTLS, LayerQUIC},
		Source:     "tldr.fail; DESIGN section 4, local.mtu",
		Signatures: []Signature{TLSTimeoutFingerprint, TLSResetFingerprint},
		Needs:      "a large hello that died, control N that died alike in the same shape, and no small one",
		Refuses:    "that an endpoint is blocked at which a small hello was not tried",
		Judge: func(c *Case) *Finding {
			if c.Kind() == "" || c.Passed != nil || c.T.shape() != Default || !c.NeutralFailedAlike() {
				return nil
			}
			s := Signature("")
			if c.Layer == LayerTLS {
				s = fingerprintSignature[c.Kind()]
			}
			return inconclusive(s, "a hello of more than one segment dies, with a neutral name too, and a small one was not tried in this round")
		},
	},
	{
		ID:         "tls-server-refuses-name",
		Says:       "The server says that it does not serve the name: an edge that has been rotated away says so too.",
		Layers:     []Layer{LayerTLS},
		Source:     "RFC 6066, section 3",
		Signatures: []Signature{ServiceMoved},
		Needs:      "the alert unrecognized_name",
		Refuses:    "whether the edge was rotated or somebody forged the alert",
		Judge: func(c *Case) *Finding {
			if n, ok := c.T.Failure.Alert(); ok && n == unrecognizedName {
				return inconclusive(ServiceMoved, "the alert unrecognized_name is what a server says that no longer serves the name")
			}
			return nil
		},
	},
	{
		ID:         "tls-dies-with-name",
		weighs:     true,
		Says:       "The handshake dies with the target's name; a neutral name passed at the same place just before.",
		Layers:     []Layer{LayerTLS},
		Source:     "ooni/spec ts-024 (SNI blocking); DESIGN section 4, rule 4",
		Signatures: []Signature{TLSResetSNI, TLSTimeoutSNI, TLSEOFSNI, TLSAlertSNI},
		Needs:      "a handshake that dies, control N that was answered at the same place just before, and a resolver that gave the address in this round",
		Refuses:    "more than a suspicion of silence met once, of what the same name escaped at another address in this round, and of an end or an alert, as edges say it whose back end or certificate for the name is gone, without evidence from the path, control X, the reference vantage or hours of it; more of any where control N met an alert alone that is not known of this edge; that an alert is forged at an address that no other resolver vouches for",
		Confidence: Likely,
		Judge:      diesWithName,
	},
	{
		ID:         "tls-dies-whatever-name",
		weighs:     true,
		Says:       "The handshake dies alike with a neutral name.",
		Layers:     []Layer{LayerTLS},
		Source:     "DESIGN section 4, rule 6",
		Signatures: []Signature{TLSResetOther, TLSTimeoutOther, TLSEOFOther, TLSAlertOther},
		Needs:      "a handshake that dies, and control N that met the same failure there",
		Refuses:    "that it is a block without evidence from the path, a reference vantage that passes, or a second network",
		Confidence: Likely,
		Judge: func(c *Case) *Finding {
			if c.Kind() == "" || !c.NeutralFailedAlike() {
				return nil
			}
			return whateverTheName(c, tlsSignature(c.Kind(), "other"), "the handshake dies whatever the name")
		},
	},
	{
		ID:         "tls-dies-uncontrolled",
		Says:       "The handshake dies, and no neutral name spoke clearly at the same place.",
		Layers:     []Layer{LayerTLS},
		Source:     "DESIGN section 4, rule 10",
		Signatures: []Signature{TLSResetSNI, TLSTimeoutSNI, TLSEOFSNI, TLSAlertSNI},
		Needs:      "a handshake that dies",
		Refuses:    "that the name matters: control N was not made, or met another failure",
		Judge: func(c *Case) *Finding {
			if c.Kind() == "" {
				return nil
			}
			return inconclusive(tlsSignature(c.Kind(), "sni"), "no neutral name was answered at the same place just before, so the name is not shown to matter")
		},
	},
}

// fingerprintSignature is what the death of one shape of hello looks like; "" where it has no name.
var fingerprintSignature = map[string]Signature{"timeout": TLSTimeoutFingerprint, "reset": TLSResetFingerprint}

// foreignChain tells an interception of this name from one of everything here and from a private CA.
func foreignChain(c *Case) *Finding {
	if !c.T.Failure.IsCertificate() || c.T.TLS == nil || c.T.TLS.ChainRoot != RootNone {
		return nil
	}
	if c.view.forged(hostOf(c), c.Addr()) {
		return nil
	}
	if proof := c.interceptor(); proof != "" {
		return blocked(TLSMITM, Confirmed, "the chain leads to no root of the bundle", proof)
	}
	switch {
	case c.SameKeyAtReference():
		return inconclusive("", "the chain leads to no root, and the reference vantage is shown the same key: it is the server's own")
	case !c.view.vouchedFor(c.Name, c.Addr()) && c.Origin != FromCatalogue:
		return inconclusive(TLSMITM, "the chain leads to no root, but no other resolver vouches for this address")
	case c.former:
		return foreignChainFormerly(c)
	case c.imposterElsewhere():
		return blocked(TLSMITM, Likely, "servers of two sites, in two networks, show a chain of the same issuer that leads to no root; neutral hosts show their own")
	case c.FromThePath():
		return blocked(TLSMITM, Likely, "the chain leads to no root, and the handshake was completed faster than the server can be reached")
	case c.N != nil && c.N.TLS.proves():
		return foreignForName(c, "the target's name gets a chain that leads to no root; a neutral name at the same place gets the edge's own")
	case c.UpAtReference():
		return blocked(TLSMITM, Suspected, "the chain leads to no root, and the reference vantage is shown one that does there; a site of theirs near us may have lost its own")
	}
	return inconclusive(TLSMITM, "the chain leads to no root, and nothing tells an interception from the server's own")
}

// foreignForName weighs a chain to no root that this name alone gets: an edge that has lost the name's certificate
// shows its default one.
func foreignForName(c *Case, reason string) *Finding {
	switch {
	case c.NameAloneTriggers():
		return blocked(TLSMITM, Likely, reason, "it came again at another address")
	case c.UpAtReference() && c.saidSince(TLSMITM):
		return blocked(TLSMITM, Likely, reason, "the reference vantage is shown the server's own there, and was so since it began")
	case c.AgainLater(TLSMITM, server):
		return blocked(TLSMITM, Likely, reason, "it came again in a later round")
	}
	return blocked(TLSMITM, Suspected, reason, "an edge that has lost the certificate of one name shows another, at each of its addresses")
}

// imposterElsewhere says whether another target, of another site, met a chain by the same issuer in another network:
// the addresses of one site share its certificates, and its private authority. Certificates that are not for the names
// don't count: what terminates TLS for two sites, and has lost both of theirs, shows its own at both, by an issuer that
// its makers have named.
func (c *Case) imposterElsewhere() bool {
	if c.T.TLS.foreignTo(c.Name) {
		return false
	}
	for _, d := range c.all {
		if d.Layer == LayerTLS && d.Target.ID != c.Target.ID && site(d.Name) != site(c.Name) && d.T.TLS != nil && d.T.TLS.ChainRoot == RootNone &&
			d.T.TLS.LeafIssuer == c.T.TLS.LeafIssuer && !d.T.TLS.foreignTo(d.Name) && network(d.Addr()) != network(c.Addr()) {
			return true
		}
	}
	return false
}

// diesWithName is the heart of it: same place, same minute, one thing changed.
func diesWithName(c *Case) *Finding {
	if c.Kind() == "" || !c.NeutralPassed() {
		return nil
	}
	s := tlsSignature(c.Kind(), "sni")
	reason := fmt.Sprintf("the handshake with the target's name ends in %s; a neutral name at the same place, just before, was answered", c.T.Failure)
	if !c.view.current(c.Name, c.Addr()) {
		return inconclusive(s, reason, "no resolver gave this address in this round: an edge that stopped serving the name does that too")
	}
	if c.Kind() == "alert" && !c.view.vouchedFor(c.Name, c.Addr()) {
		return inconclusive(s, reason, "a server that does not serve the name sends an alert too, and no other resolver vouches for this address")
	}
	return byName(c, s, reason)
}

func tlsSignature(kind, trigger string) Signature {
	return Signature(strings.Join([]string{"tls", kind, trigger}, "."))
}
