package app

import (
	"bufio"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/telltale-probe/telltale/probe/deadline"
)

// WhatsAppRoot is the key that signs the certificates of WhatsApp's chat servers, a Curve25519 key
// ("WhatsAppLongTerm1" in older certificates). Source: handshake.go of whatsmeow (WACertPubKey). The
// certificate that a server sent in 2019, in testdata/whatsapp-2019.json, verifies against it.
var WhatsAppRoot = [32]byte{
	0x14, 0x23, 0x75, 0x57, 0x4d, 0x0a, 0x58, 0x71, 0x66, 0xaa, 0xe7, 0x1e, 0xbe, 0x51, 0x64, 0x37,
	0xc4, 0xa2, 0x8b, 0x73, 0xe3, 0x69, 0x5c, 0x6c, 0xe1, 0xf7, 0xf9, 0x54, 0x5d, 0xa8, 0xee, 0x6b,
}

// whatsAppHeader begins a connection, once: "WA", magic 6, dictionary 3. It is the prologue of the
// handshake, too. Source: socket/constants.go of whatsmeow.
const whatsAppHeader = "WA\x06\x03"

// WhatsAppInput says how to speak, and whom to believe.
type WhatsAppInput struct {
	WebSocket *UpgradeInput // nil: on the connection itself
	Root      [32]byte      // WhatsAppRoot, but in an emulated internet
	Now       time.Time
}

// WhatsAppAnswer is what a chat server said of itself.
type WhatsAppAnswer struct {
	// Verified: the peer has the key of a leaf certificate that leads to Root, and holds now.
	Verified bool
	// Signed: the same but for the dates. Where it is true and Verified is not, a wrong clock here is the
	// likelier cause, for nobody else could have the key.
	Signed bool
	// Set where Signed is true; the dates are those within which all of the chain holds.
	LeafSerial, IntermediateSerial uint32
	NotBefore, NotAfter            time.Time
	// Bytes on conn, those of HTTP and WebSocket included; 0 where nothing came.
	Sent, Received int
}

// WhatsApp measures whether the peer is a chat server of WhatsApp: it sends the first message of its
// Noise handshake, decrypts the second, and follows the certificates in there to the root. It stops
// before the message that would tell who we are; no account, no name, no identifier is sent, and the
// key is a fresh one. This is version 1 of the check: the classical handshake, Noise XX, with a chain
// of two certificates.
//
// It fails with *Imposter when a server hello does not decrypt or its chain does not hold, and with
// *NotSpoken when the answer is no server hello, or one with fields that this version does not know
// and that it cannot verify: that would be a newer handshake; or when the peer goes on beyond 2,150 bytes both
// ways, HTTP not counted; an honest one takes some 500. WebSocket fails as Upgrade and Read do.
// Everything else is the connection's own error; a timeout where ctx ended. The caller closes conn; it
// has no deadline afterwards. Sources: Noise, revision 34; handshake.go and socket/ of whatsmeow.
func WhatsApp(ctx context.Context, conn net.Conn, in WhatsAppInput) (WhatsAppAnswer, error) {
	defer deadline.Obey(ctx, conn)()
	m := &meter{Conn: conn, left: mostOfHandshake}
	answer, err := in.exchange(m)
	answer.Sent, answer.Received = m.sent, m.received
	return answer, err
}

// exchange does the two messages.
func (in WhatsAppInput) exchange(m *meter) (WhatsAppAnswer, error) {
	t := measured(m)
	if in.WebSocket != nil {
		m.left = 2 * mostOfHandshake
		w, err := upgrade(m, *in.WebSocket)
		if err != nil {
			return WhatsAppAnswer{}, err
		}
		m.left = mostOfHandshake
		t.Conn = w
	}
	n := newNoise([]byte(whatsAppHeader), newKey())
	hello := appendHello(nil, fieldClientHello, second{ephemeral: n.initiate()})
	if _, err := t.Write(appendWhatsAppFrame([]byte(whatsAppHeader), hello)); err != nil {
		return WhatsAppAnswer{}, err
	}
	message, err := readWhatsAppFrame(bufio.NewReaderSize(t, mostOfHello))
	if err != nil {
		if wrong, ok := errors.AsType[errWhatsAppFrame](err); ok {
			err = t.notSpoken(wrong.Error())
		}
		return WhatsAppAnswer{}, t.kept(err)
	}
	answer, err := in.judge(n, message)
	return answer, t.kept(err)
}

// meter is a connection that counts, and stops at a bound of what goes both ways.
type meter struct {
	net.Conn
	left           int
	sent, received int
}

// errMeter is the end of the bound: only a peer that talks on and on gets there.
func errMeter() error { return &NotSpoken{Reason: "more than a handshake takes"} }

func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, errMeter()
	}
	n, err := m.Conn.Read(p[:min(len(p), m.left)])
	m.left -= n
	m.received += n
	return n, err
}

func (m *meter) Write(p []byte) (int, error) {
	if m.left < len(p) {
		return 0, errMeter()
	}
	n, err := m.Conn.Write(p)
	m.left -= n
	m.sent += n
	return n, err
}

// judge says what a server's message proves.
func (in WhatsAppInput) judge(n *noise, message []byte) (WhatsAppAnswer, error) {
	hello, err := parseHello(message, fieldServerHello)
	if err != nil {
		return WhatsAppAnswer{}, &NotSpoken{Reason: "the frame holds " + err.Error()}
	}
	// What fails in spite of unknown fields is our age, not the peer's lie.
	unproved := func(newer bool, reason string) error {
		if newer {
			return &NotSpoken{Reason: "a newer handshake: " + reason}
		}
		return &Imposter{Reason: reason}
	}
	if !hello.shaped() {
		reason := "no server hello in the message"
		if hello.newer && hello.ephemeral != nil {
			reason = "a newer handshake: " + reason
		}
		return WhatsAppAnswer{}, &NotSpoken{Reason: reason}
	}
	static, payload, err := n.finish(hello.second)
	if err != nil {
		return WhatsAppAnswer{}, unproved(hello.newer, "its hello does not decrypt")
	}
	chain, err := parseCertChain(payload)
	if err != nil {
		return WhatsAppAnswer{}, unproved(hello.newer, "it has no certificate chain")
	}
	if reason := chain.untrue(in.Root, static); reason != "" {
		return WhatsAppAnswer{}, unproved(hello.newer || chain.newer, reason)
	}
	return in.dated(chain)
}

// dated looks at the dates of a chain that is signed.
func (in WhatsAppInput) dated(chain certChain) (WhatsAppAnswer, error) {
	answer := WhatsAppAnswer{Signed: true, LeafSerial: chain.leaf.serial, IntermediateSerial: chain.intermediate.serial}
	answer.NotBefore, answer.NotAfter = chain.dates()
	if in.Now.Before(answer.NotBefore) || in.Now.After(answer.NotAfter) {
		return answer, &Imposter{Reason: fmt.Sprintf("its certificates hold from %s to %s",
			answer.NotBefore.Format(time.RFC3339), answer.NotAfter.Format(time.RFC3339))}
	}
	answer.Verified = true
	return answer, nil
}

// newKey is a fresh Curve25519 key.
func newKey() *ecdh.PrivateKey {
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // never: the system's randomness does not fail (crypto/rand)
	}
	return key
}
