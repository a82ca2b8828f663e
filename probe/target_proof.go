package probe

import (
	"strings"

	"github.com/telltale-probe/telltale/measurements"
)

// Proof says, in words, what a target's probes prove of who answers, the strongest first.
func (t *Target) Proof() string {
	var out []string
	add := func(text string) {
		for _, have := range out {
			if have == text {
				return
			}
		}
		out = append(out, text)
	}
	for _, w := range t.Probes {
		if t.Speaks != "" && w == ProbeWSS {
			add(spokenProof[t.Speaks])
		}
		if w == ProbeLEGY {
			add("the status of LINE's gateway in the header x-lc")
		}
		if t.ProofHeader != "" && (w == ProbeHTTPS || w == ProbeH3) {
			add("the header " + t.ProofHeader + " of the answer")
		}
		if text := provedBy[w]; text != "" {
			add(text)
		}
	}
	if len(out) == 0 {
		return "none: anybody can accept a connection, or answer in clear"
	}
	return strings.Join(out, "; ")
}

// NeutralName says, in words, which name control N bears, and where it goes; "" where the target's probes bear none.
func (t *Target) NeutralName() string {
	for _, w := range t.Probes {
		switch {
		case w == ProbeSTUN && t.Neutral != "":
			return t.Neutral + ", asked at its own address"
		case w == ProbeSTUN || w == ProbeTCP || w == ProbeMTProto || w == ProbeWhatsApp:
		case t.Neutral != "":
			return t.Neutral + ", at the target's addresses"
		default:
			return "a random name under example.com, at the target's addresses"
		}
	}
	return ""
}

const byCertificate = "a certificate for the name"

var provedBy = map[Probe]string{
	ProbeTLS: byCertificate, ProbeHTTPS: byCertificate, ProbeWSS: byCertificate, ProbeLEGY: byCertificate, ProbeH3: byCertificate,
	ProbeMTProto:  spokenProof[measurements.MTProto],
	ProbeWhatsApp: spokenProof[measurements.WhatsAppNoise] + ", under suspicion or by choice (network.opaque): the first packet looks like chance; otherwise a connection alone",
	ProbeSTUN:     "an answer to the request's own transaction: a STUN server, whoever's",
}

var spokenProof = map[string]string{
	measurements.MTProto:       "our nonce and a key of Telegram's that it names; under suspicion and once a week an answer that only that key's holder can give",
	measurements.WhatsAppNoise: "a chain of certificates to WhatsApp's own root, and the key in it",
}
