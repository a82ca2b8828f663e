package measurements

// Handshake is what an app's own first exchange saw, made without an account. An exchange over HTTP whose
// answer alone tells the app (LEGY, a header of its own) is told here once more, with no bytes of its own.
type Handshake struct {
	Protocol string `json:"protocol"` // a word below
	// Arm is how MTProto's bytes were framed; "" for the protocols that have one way alone.
	Arm string `json:"arm,omitempty"`
	// Proof is the strongest thing that the peer proved, a word below; "" is nothing.
	Proof string `json:"proof,omitempty"`
	// Key is the fingerprint of the app's key that the peer named, in hex; "" where it named none of ours.
	Key string `json:"key,omitempty"`
	// Unknown: it named keys, and none that we know; the app may have changed them.
	Unknown bool `json:"unknown_key,omitempty"`
	// Dated: the certificates prove the peer but for their dates: somebody's clock is wrong.
	Dated bool `json:"dated,omitempty"`
	// Code is what the app's own transport answered with; 0 is nothing of the kind.
	Code int32 `json:"code,omitempty"`
	// FirstBytes are the first that came from a peer that does not speak the protocol, or that said no over HTTP, as
	// anybody could have; up to 64.
	FirstBytes []byte `json:"first_bytes,omitempty"`
}

// The protocols.
const (
	MTProto        = "mtproto"  // Telegram (core.telegram.org/mtproto)
	WhatsAppNoise  = "whatsapp" // the Noise handshake of WhatsApp's chat servers
	LEGY           = "legy"     // LINE's gateway, inside HTTP
	STUN           = "stun"     // RFC 8489
	HeaderProtocol = "header"   // an answer's header that the app alone sends
)

// The words of Proof.
const (
	ProvedProtocol = "protocol" // it speaks it: whoever has read the documentation can
	ProvedIdentity = "identity" // it has the app's private key
)

var (
	protocols = []string{MTProto, WhatsAppNoise, LEGY, STUN, HeaderProtocol}
	proofs    = []string{ProvedProtocol, ProvedIdentity}
)

// mostFirstBytes bounds Handshake.FirstBytes: enough to tell another protocol by. Chosen by us.
const mostFirstBytes = 64
