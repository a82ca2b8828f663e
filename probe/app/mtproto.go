package app

import (
	"context"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/telltale-probe/telltale/probe/deadline"
)

// Transport is how MTProto's packets are framed on a connection.
// Source: core.telegram.org/mtproto/mtproto-transports.
type Transport string

// The transports. Whoever looks for MTProto knows the first bytes of all but the last.
const (
	Abridged           Transport = "abridged"
	Intermediate       Transport = "intermediate"
	PaddedIntermediate Transport = "padded_intermediate"
	OverHTTP           Transport = "http"        // a POST in clear
	Obfuscated         Transport = "obfuscated2" // looks like chance; the only one inside a WebSocket
)

// Transports lists them all.
var Transports = []Transport{Abridged, Intermediate, PaddedIntermediate, OverHTTP, Obfuscated}

// MTProtoInput says how to speak, and whom to believe.
type MTProtoInput struct {
	Transport Transport
	Keys      []*rsa.PublicKey // Telegram's; one at least
	DC        int              // the number of the data centre, from 1
	// Identity asks for the proof that the peer has the private key as well. It costs the peer an operation
	// of RSA, and us the splitting of a number of 64 bits.
	Identity bool
	Host     string // of the request's Host field; only over HTTP
}

// MTProtoAnswer is what a data centre said of itself.
type MTProtoAnswer struct {
	Nonce        bool      // it repeated ours, which says that it speaks MTProto
	Fingerprint  string    // of a key of ours that it says it has, in hex; "" none
	Fingerprints int       // how many keys it named
	ServerTime   time.Time // by its message's identifier, to a second; zero without an answer
	Identity     bool      // it has that key: what we enciphered for it was read
	// Bytes on conn; 0 where nothing came.
	Sent, Received int
}

// mostKeys bounds the list of fingerprints that is looked at. Chosen by us: servers name one to five.
const mostKeys = 16

// MTProto measures whether the peer is a data centre of Telegram's: it asks for a nonce and a key
// (req_pq_multi), and with Identity for what only the holder of the key can answer (req_DH_params). It stops
// there: no key is agreed on, and nothing that is sent outlives the connection.
//
// It fails with *Imposter when the peer speaks MTProto and does not prove itself, with *NotSpoken when its
// answer is no MTProto or does not come to an end, with *Refused when it answers with an error of the transport,
// such as -404, which over HTTP is a status of HTTP.
// Everything else is the connection's own error; a timeout where ctx ended. The caller closes conn; it has
// no deadline afterwards. Source: core.telegram.org/mtproto/auth_key.
func MTProto(ctx context.Context, conn net.Conn, in MTProtoInput) (MTProtoAnswer, error) {
	defer deadline.Obey(ctx, conn)()
	t := measured(conn)
	x := &mtprotoExchange{in: in, tap: t, framing: newFraming(in.Transport, t, in)}
	err := x.run()
	x.answer.Sent, x.answer.Received = t.sent, t.received
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		// What a proxy says that takes it for HTTP is a packet that is not all there.
		err = &NotSpoken{Reason: "an answer that ends inside a packet"}
	case x.unfinished && isTimeout(err) && !errors.Is(ctx.Err(), context.Canceled):
		// The same from one who then waits for us: what he said was read as the length of a packet.
		err = &NotSpoken{Reason: "an answer that never comes to the end of a packet"}
	}
	if r, ok := errors.AsType[*Refused](err); ok && in.Transport == OverHTTP {
		r.FirstBytes = slices.Clone(t.first)
	}
	return x.answer, t.kept(err)
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// mtprotoExchange is one exchange.
type mtprotoExchange struct {
	in         MTProtoInput
	tap        *tap
	framing    framing
	answer     MTProtoAnswer
	unfinished bool // bytes came of a packet that did not come to its end; HTTP tells by itself what it is
}

func (x *mtprotoExchange) run() error {
	var nonce int128
	random(nonce[:])
	var b tlWriter
	b.id(idReqPQMulti)
	b.put(nonce[:])
	reply, err := x.ask(b.bytes)
	if err != nil {
		return err
	}
	pq, err := x.resPQ(reply, nonce)
	if err != nil || !x.in.Identity {
		return err
	}
	return x.prove(pq, nonce)
}

// ask sends a message that is not enciphered, and gives the content of the one that comes back.
func (x *mtprotoExchange) ask(content []byte) ([]byte, error) {
	if err := x.framing.send(appendPlain(nil, clientMessageID(time.Now()), content)); err != nil {
		return nil, err
	}
	before := x.tap.received
	packet, err := x.framing.receive()
	if err != nil {
		x.unfinished = x.tap.received > before && x.in.Transport != OverHTTP
		return nil, err
	}
	if len(packet) == 4 {
		return nil, &Refused{Code: int32(binary.LittleEndian.Uint32(packet))}
	}
	id, reply, ok := parsePlain(packet)
	if !ok {
		return nil, &NotSpoken{Reason: "a packet without a plain message in it"}
	}
	x.answer.ServerTime = time.Unix(int64(id>>32), 0).UTC()
	return reply, nil
}

// question is what a data centre gave us to answer with.
type question struct {
	serverNonce int128
	pq, p, q    uint64
	key         *rsa.PublicKey
}

// resPQ reads the first answer.
func (x *mtprotoExchange) resPQ(reply []byte, nonce int128) (question, error) {
	r := tlReader{rest: reply}
	if r.id() != idResPQ {
		return question{}, &NotSpoken{Reason: "a message that is no resPQ"}
	}
	var out question
	echo := r.int128()
	out.serverNonce = r.int128()
	pq := r.bytes(8)
	fingerprints := r.longs(mostKeys)
	if r.bad {
		return question{}, &NotSpoken{Reason: "a resPQ that ends early"}
	}
	if echo != nonce {
		return question{}, &Imposter{Reason: "it does not repeat our nonce"}
	}
	x.answer.Nonce, x.answer.Fingerprints = true, len(fingerprints)
	out.pq = bigEndian(pq)
	var ok bool
	if out.p, out.q, ok = splitPQ(out.pq); !ok {
		return question{}, &Imposter{Reason: "its pq is no product of two primes"}
	}
	for _, f := range fingerprints {
		for _, k := range x.in.Keys {
			if Fingerprint(k) == f {
				out.key, x.answer.Fingerprint = k, fmt.Sprintf("%016x", f)
				return out, nil
			}
		}
	}
	return question{}, &Imposter{Reason: "it names no key of Telegram's that we know"}
}

// The identifiers of messages are times, of 2^-32 seconds; the last two bits tell who sends (0 is a client,
// 1 a server's answer). core.telegram.org/mtproto/description.
func clientMessageID(now time.Time) uint64 {
	return uint64(now.Unix())<<32 | uint64(now.Nanosecond())<<2&^3
}

// appendPlain appends a message that is not enciphered: no key, an identifier, a length, the content.
func appendPlain(b []byte, id uint64, content []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = binary.LittleEndian.AppendUint64(b, id)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(content)))
	return append(b, content...)
}

// mostPadding may stand behind a message where the framing pads.
const mostPadding = 15

// parsePlain is its inverse.
func parsePlain(packet []byte) (id uint64, content []byte, ok bool) {
	if len(packet) < 20 || binary.LittleEndian.Uint64(packet) != 0 {
		return 0, nil, false
	}
	id = binary.LittleEndian.Uint64(packet[8:])
	n := binary.LittleEndian.Uint32(packet[16:])
	rest := packet[20:]
	if uint64(n) > uint64(len(rest)) || len(rest)-int(n) > mostPadding {
		return 0, nil, false
	}
	return id, rest[:n], true
}
