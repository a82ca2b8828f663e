package app

import (
	"bufio"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"time"
)

// WhatsAppFalsity is how a chat server of the emulated internet differs from WhatsApp's. The zero value
// does not.
type WhatsAppFalsity string

const (
	ForgedChain      WhatsAppFalsity = "forged chain"      // signed by another root
	ForeignLeaf      WhatsAppFalsity = "foreign leaf"      // a true chain, for a key that the server has not
	ExpiredChain     WhatsAppFalsity = "expired chain"     // a true chain that ended a second before it should begin
	GarbageForHello  WhatsAppFalsity = "garbage for hello" // a frame that is no protobuf message
	StallsAfterHello WhatsAppFalsity = "stalls"            // the first bytes of its answer, and nothing more
)

// WhatsAppServer is a chat server as WhatsApp's, for the emulated internet and up to its first answer:
// what a client says after it is read, and thrown away. Serve may be called by any number of goroutines
// at once.
type WhatsAppServer struct {
	Falsity WhatsAppFalsity // set before the first Serve

	root, intermediate ed25519.PrivateKey
	static             *ecdh.PrivateKey
	from, until        time.Time
}

// Serials of the certificates of a WhatsAppServer; the root's is 0.
const (
	intermediateSerial = 1
	leafSerial         = 2
)

// NewWhatsAppServer makes a server with keys of its own, and certificates that a root signs and that
// hold between two dates, to the second. Clients that shall believe it are told WhatsAppRootOf(root).
func NewWhatsAppServer(root ed25519.PrivateKey, notBefore, notAfter time.Time) *WhatsAppServer {
	return &WhatsAppServer{root: root, intermediate: newSigner(), static: newKey(), from: notBefore, until: notAfter}
}

// WhatsAppRootOf is the Curve25519 form of a root's key, as WhatsAppInput takes it.
func WhatsAppRootOf(root ed25519.PrivateKey) [32]byte {
	return montgomery(root.Public().(ed25519.PublicKey))
}

func newSigner() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // never: the system's randomness does not fail (crypto/rand)
	}
	return key
}

// Serve answers one client, on the connection itself or over a WebSocket, whichever it begins with, and
// waits until the connection ends. It fails with *NotSpoken when the client speaks neither, and with
// the connection's error when it ends before the answer is out. The caller closes conn.
func (s *WhatsAppServer) Serve(conn net.Conn) error {
	r := bufio.NewReaderSize(conn, mostOfHello)
	conn = ahead{conn, r}
	start, err := r.Peek(len("GET "))
	if err != nil {
		return err
	}
	if string(start) == "GET " {
		w, err := AcceptWebSocket(conn)
		if err != nil {
			return err
		}
		conn, r = w, bufio.NewReaderSize(w, mostOfHello)
	}
	initiator, err := readClientHello(r)
	if err != nil {
		return err
	}
	if err := s.answer(conn, initiator); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, conn) // the end of it is how every client leaves
	return nil
}

// ahead is a connection of which some bytes are read already.
type ahead struct {
	net.Conn
	r io.Reader
}

func (a ahead) Read(p []byte) (int, error) { return a.r.Read(p) }

// readClientHello reads what a client sends first, and gives its ephemeral key.
func readClientHello(r *bufio.Reader) ([]byte, error) {
	header := make([]byte, len(whatsAppHeader))
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	if string(header) != whatsAppHeader {
		return nil, &NotSpoken{Reason: "no header of WhatsApp", FirstBytes: header}
	}
	message, err := readWhatsAppFrame(r)
	if wrong, ok := errors.AsType[errWhatsAppFrame](err); ok {
		return nil, &NotSpoken{Reason: wrong.Error()}
	}
	if err != nil {
		return nil, cut(err)
	}
	hello, err := parseHello(message, fieldClientHello)
	if err != nil || len(hello.ephemeral) != 32 {
		return nil, &NotSpoken{Reason: "no client hello in the message"}
	}
	return hello.ephemeral, nil
}

// answer sends the second message, true or not.
func (s *WhatsAppServer) answer(conn net.Conn, initiator []byte) error {
	n := newNoise([]byte(whatsAppHeader), newKey())
	n.mixHash(initiator)
	m, err := n.answer(initiator, s.static, s.chain())
	if err != nil {
		return &NotSpoken{Reason: "a client hello with a key that nobody has"}
	}
	message := appendHello(nil, fieldServerHello, m)
	if s.Falsity == GarbageForHello {
		_, _ = rand.Read(message) // never fails
		message[0] = 0            // no field has the number 0: never a message by chance
	}
	frame := appendWhatsAppFrame(nil, message)
	if s.Falsity == StallsAfterHello {
		frame = frame[:len(frame)/2]
	}
	_, err = conn.Write(frame)
	return err
}

// chain is a CertChain for the server, true or not.
func (s *WhatsAppServer) chain() []byte {
	root, key, from, until := s.root, s.static.PublicKey().Bytes(), s.from, s.until
	switch s.Falsity {
	case ForgedChain:
		root = newSigner()
	case ForeignLeaf:
		key = newKey().PublicKey().Bytes()
	case ExpiredChain:
		from, until = from.Add(from.Sub(until)), from.Add(-time.Second)
	}
	above := montgomery(s.intermediate.Public().(ed25519.PublicKey))
	leaf := certificate{serial: leafSerial, issuer: intermediateSerial, key: key, from: from, until: until}
	intermediate := certificate{serial: intermediateSerial, key: above[:], from: from, until: until}
	b := appendBytesField(nil, fieldLeaf, leaf.signedBy(s.intermediate))
	return appendBytesField(b, fieldIntermediate, intermediate.signedBy(root))
}

// signedBy is a NoiseCertificate with these details.
func (c certificate) signedBy(key ed25519.PrivateKey) []byte {
	d := appendVarintField(nil, fieldSerial, uint64(c.serial))
	d = appendVarintField(d, fieldIssuerSerial, uint64(c.issuer))
	d = appendBytesField(d, fieldKey, c.key)
	d = appendVarintField(d, fieldNotBefore, uint64(max(0, c.from.Unix())))
	d = appendVarintField(d, fieldNotAfter, uint64(max(0, c.until.Unix())))
	return appendBytesField(appendBytesField(nil, fieldDetails, d), fieldSignature, signXEdDSA(key, d))
}
