package app

import (
	"bufio"
	"bytes"
	"crypto/rsa"
	"crypto/sha1" // the exchange is made with it
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// MTProtoLie is what is false about a data centre.
type MTProtoLie string

// The lies of the emulated internet.
const (
	LieNonce    MTProtoLie = "nonce"    // another nonce than ours comes back
	LieKey      MTProtoLie = "key"      // it names its own key, which is none of Telegram's
	LieIdentity MTProtoLie = "identity" // it names Telegram's key, and does not have it
	LieStall    MTProtoLie = "stall"    // it is silent after the first answer
	LieRefusal  MTProtoLie = "refusal"  // it answers with an error of the transport: see Refusal
	LieOther    MTProtoLie = "other"    // it speaks another protocol
)

// MTProtoServer is a data centre of an emulated internet.
type MTProtoServer struct {
	Key *rsa.PrivateKey
	// Named is the key whose fingerprint it gives; nil is its own.
	Named *rsa.PublicKey
	Lie   MTProtoLie
	// Refusal is the number of the transport's error that it refuses with, such as 429 where too many come; 0 is 404.
	Refusal int
	// Deaf are transports that it does not speak: it swallows them.
	Deaf []Transport
}

// Serve answers one connection until the client ends it, in whatever transport the client has begun. The
// caller closes conn.
func (s *MTProtoServer) Serve(conn net.Conn) error {
	if s.Lie == LieOther {
		if _, err := conn.Read(make([]byte, mostPacket)); err != nil {
			return err
		}
		_, err := io.WriteString(conn, "SSH-2.0-box\r\n")
		return errors.Join(err, drain(conn))
	}
	transport, f, err := accept(conn)
	if err != nil {
		return err
	}
	if slices.Contains(s.Deaf, transport) {
		return drain(conn)
	}
	for {
		packet, err := f.receive()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		reply := s.reply(packet)
		if reply == nil {
			return drain(conn)
		}
		if err := f.send(reply); err != nil {
			return err
		}
	}
}

// drain reads until the peer ends.
func drain(conn net.Conn) error {
	_, err := io.Copy(io.Discard, conn)
	return err
}

// accept finds out how the client frames its packets.
func accept(conn net.Conn) (Transport, framing, error) {
	in := bufio.NewReader(conn)
	both := &buffered{Conn: conn, in: in}
	first, err := in.Peek(4)
	if err != nil {
		return "", nil, err
	}
	switch {
	case first[0] == tagAbridged:
		_, err = in.Discard(1)
		return Abridged, &abridged{conn: both}, err
	case bytes.Equal(first, bytes.Repeat([]byte{tagIntermediate}, 4)):
		_, err = in.Discard(4)
		return Intermediate, &lengths{conn: both}, err
	case bytes.Equal(first, bytes.Repeat([]byte{tagPadded}, 4)):
		_, err = in.Discard(4)
		return PaddedIntermediate, &lengths{conn: both, pads: true}, err
	case bytes.Equal(first, []byte("POST")):
		return OverHTTP, &posted{conn: conn, in: in}, nil
	}
	var header [64]byte
	if _, err := io.ReadFull(in, header[:]); err != nil {
		return "", nil, err
	}
	toUs, fromUs := obfuscatedStreams(header)
	toUs.XORKeyStream(make([]byte, len(header)), header[:])
	return Obfuscated, &lengths{conn: &obfuscated{Conn: both, in: toUs, out: fromUs}, pads: true}, nil
}

// buffered reads what was peeked at first.
type buffered struct {
	net.Conn
	in *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.in.Read(p) }

// posted is the server's half of posts.
type posted struct {
	conn net.Conn
	in   *bufio.Reader
}

func (f *posted) receive() ([]byte, error) {
	request, err := http.ReadRequest(f.in)
	if err != nil {
		return nil, err
	}
	defer request.Body.Close()
	return io.ReadAll(io.LimitReader(request.Body, mostPacket))
}

func (f *posted) send(packet []byte) error {
	head := "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Type: application/octet-stream\r\nContent-Length: " + strconv.Itoa(len(packet)) + "\r\n\r\n"
	_, err := f.conn.Write(append([]byte(head), packet...))
	return err
}

// reply answers one packet; nil is silence for good.
func (s *MTProtoServer) reply(packet []byte) []byte {
	_, content, ok := parsePlain(packet)
	switch {
	case s.Lie == LieRefusal && s.Refusal != 0:
		return transportError(s.Refusal)
	case !ok || s.Lie == LieRefusal:
		return transportError(http.StatusNotFound)
	}
	r := tlReader{rest: content}
	var answer []byte
	switch r.id() {
	case idReqPQMulti:
		answer = s.resPQ(r.int128())
	case idReqDHParams:
		if s.Lie == LieStall {
			return nil
		}
		answer = s.dhParams(r)
	}
	if answer == nil {
		return transportError(http.StatusNotFound)
	}
	return appendPlain(nil, serverMessageID(time.Now()), answer)
}

// transportError is a packet that says an error of the transport: its number, below zero.
func transportError(number int) []byte {
	return binary.LittleEndian.AppendUint32(nil, uint32(-int32(number))) //nolint:gosec // three digits
}

func serverMessageID(now time.Time) uint64 { return clientMessageID(now) | 1 }

// The primes of emulated data centres. One is small, so that they are split at once: real ones have 31 bits.
const (
	smallPrime = 65_537
	largePrime = 2_147_483_647
)

func (s *MTProtoServer) resPQ(nonce int128) []byte {
	if s.Lie == LieNonce {
		nonce[0] ^= 0xff
	}
	var theirs int128
	random(theirs[:])
	var w tlWriter
	w.id(idResPQ)
	w.put(nonce[:])
	w.put(theirs[:])
	w.number(smallPrime * largePrime)
	w.id(idVector)
	w.id(1)
	w.long(Fingerprint(s.named()))
	return w.bytes
}

func (s *MTProtoServer) named() *rsa.PublicKey {
	if s.Named != nil && s.Lie != LieKey {
		return s.Named
	}
	return &s.Key.PublicKey
}

// dhParams answers req_DH_params; nil where what is in there was not enciphered for our key.
func (s *MTProtoServer) dhParams(r tlReader) []byte {
	nonce, theirs := r.int128(), r.int128()
	r.bytes(8)
	r.bytes(8)
	r.take(8)
	sealed := r.bytes(keyBits / 8)
	if r.bad {
		return nil
	}
	open, ok := unpadRSA(sealed, s.Key)
	in := tlReader{rest: open}
	in.id()
	in.bytes(8)
	in.bytes(8)
	in.bytes(8)
	in.int128()
	in.int128()
	ours := in.int256()
	if !ok || in.bad {
		if s.Lie != LieIdentity {
			return nil
		}
		random(ours[:]) // it can only guess
	}
	var inner tlWriter
	inner.id(idServerDHInner)
	inner.put(nonce[:])
	inner.put(theirs[:])
	inner.id(3)
	inner.text(new(big.Int).Lsh(big.NewInt(1), keyBits-1).Bytes()) // never used: the client ends here
	inner.text(new(big.Int).Lsh(big.NewInt(1), keyBits-2).FillBytes(make([]byte, keyBits/8)))
	inner.id(uint32(time.Now().Unix()))
	sum := sha1.Sum(inner.bytes)
	plain := slices.Concat(sum[:], inner.bytes)
	plain = append(plain, make([]byte, (16-len(plain)%16)%16)...)
	key, iv := dhKeys(theirs, ours)

	var w tlWriter
	w.id(idServerDHParamsOK)
	w.put(nonce[:])
	w.put(theirs[:])
	w.text(ige(key, iv, plain, true))
	return w.bytes
}
