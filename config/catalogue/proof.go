package catalogue

import (
	"crypto/rsa"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"

	"github.com/telltale-probe/telltale/config/strict"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/app"
)

// maxKeys bounds an app's keys. Chosen by us: Telegram has named one to five at a time.
const maxKeys = 8

// secrets are the app's public keys, by which its servers prove themselves.
type secrets struct {
	mtproto []*rsa.PublicKey
	noise   [32]byte
}

// readSecrets reads the keys "mtproto_keys" (PEM) and "noise_root" (hex) of the app.
func readSecrets(head *strict.Table) (s secrets) {
	if text := head.String("mtproto_keys", ""); text != "" {
		keys, err := app.ParseMTProtoKeys([]byte(text))
		switch {
		case err != nil:
			head.Fail("mtproto_keys", "%v", err)
		case len(keys) > maxKeys:
			head.Fail("mtproto_keys", "must hold at most %d keys", maxKeys)
		}
		s.mtproto = keys
	}
	if text := head.String("noise_root", ""); text != "" {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != len(s.noise) {
			head.Fail("noise_root", "must be %d bytes in hex", len(s.noise))
		} else {
			s.noise = [32]byte(b)
		}
	}
	return s
}

// give hands the keys to a target that needs them, and says where there are none.
func (s secrets) give(t *strict.Table, target *probe.Target) {
	if slices.Contains(target.Probes, probe.ProbeMTProto) || target.Speaks == measurements.MTProto {
		if target.Keys = s.mtproto; len(s.mtproto) == 0 {
			t.Fail("probes", "mtproto needs the app's mtproto_keys")
		}
		if target.DC == 0 {
			t.Fail("dc", "is needed: which data centre this is, from 1")
		}
	}
	if slices.Contains(target.Probes, probe.ProbeWhatsApp) || target.Speaks == measurements.WhatsAppNoise {
		if target.NoiseRoot = s.noise; s.noise == [32]byte{} {
			t.Fail("probes", "whatsapp needs the app's noise_root")
		}
	}
}

// Forms of what goes into HTTP as it is: a field's name, a subprotocol (both tokens, RFC 9110, section 5.6.2)
// and an origin (RFC 6454, section 6.2).
var (
	tokenForm  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	originForm = regexp.MustCompile(`^https://[a-z0-9.-]{1,253}$`)
)

// checkProof looks at the keys that say how an app proves itself.
func checkProof(t *strict.Table, out *probe.Target) {
	spoken := []string{measurements.MTProto, measurements.WhatsAppNoise}
	webSocket := slices.Contains(out.Probes, probe.ProbeWSS)
	switch {
	case out.Speaks != "" && !slices.Contains(spoken, out.Speaks):
		t.Fail("speaks", "must be one of %s", strings.Join(spoken, ", "))
	case out.Speaks != "" && !webSocket:
		t.Fail("speaks", "is what is spoken inside a WebSocket: probes needs wss")
	}
	if out.Origin != "" && !originForm.MatchString(out.Origin) {
		t.Fail("origin", "must be https:// and a host name")
	}
	if out.Subprotocol != "" && !tokenForm.MatchString(out.Subprotocol) {
		t.Fail("subprotocol", "must be a token of up to 64 letters, digits, dots, hyphens and underscores")
	}
	if out.ProofHeader != "" && !tokenForm.MatchString(out.ProofHeader) {
		t.Fail("proof_header", "must be a token of up to 64 letters, digits, dots, hyphens and underscores")
	}
}
