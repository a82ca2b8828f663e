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

const byCertificate = "a certificate for the name"

var provedBy = map[Probe]string{
	ProbeTLS: byCertificate, ProbeHTTPS: byCertificate, ProbeWSS: byCertificate, ProbeLEGY: byCertificate, ProbeH3: byCertificate,
	ProbeMTProto:  spokenProof[measurements.MTProto],
	ProbeWhatsApp: spokenProof[measurements.WhatsAppNoise] + ", under suspicion or by choice (network.opaque): the first packet looks like chance; otherwise a connection alone",
	ProbeSTUN:     "an answer to the request's own transaction: a STUN server, whoever's",
}

var spokenProof = map[string]string{
	measurements.MTProto:       "our nonce and a key of Telegram's that it names; under suspicion and about once a week an answer that only that key's holder can give",
	measurements.WhatsAppNoise: "a chain of certificates to WhatsApp's own root, and the key in it",
}
