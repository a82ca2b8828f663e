package app

import (
	"bytes"
	"crypto/aes"
	"crypto/rsa"
	"crypto/sha1" // the exchange is made with it
	"crypto/sha256"
	"fmt"
	"math/big"
	"slices"
)

// The lengths that an enciphered answer may have: 592 bytes with numbers of 2048 bits. A shorter one than the
// least has no room for its hash and what the hash is of, numbers without a digit, in whole blocks of AES.
const (
	leastAnswerOfDH = (sha1.Size + 4 + 16 + 16 + 4 + 4 + 4 + 4 + aes.BlockSize - 1) / aes.BlockSize * aes.BlockSize
	mostAnswerOfDH  = 640
)

// prove asks what only the holder of the key can answer: req_DH_params holds a number of ours enciphered for
// it, and the answer is enciphered with that number.
func (x *mtprotoExchange) prove(q question, nonce int128) error {
	var ours int256
	random(ours[:])
	var inner tlWriter
	inner.id(idPQInnerDataDC)
	inner.number(q.pq)
	inner.number(q.p)
	inner.number(q.q)
	inner.put(nonce[:])
	inner.put(q.serverNonce[:])
	inner.put(ours[:])
	inner.id(uint32(x.in.DC))

	var b tlWriter
	b.id(idReqDHParams)
	b.put(nonce[:])
	b.put(q.serverNonce[:])
	b.number(q.p)
	b.number(q.q)
	b.long(Fingerprint(q.key))
	b.text(padRSA(inner.bytes, q.key))
	reply, err := x.ask(b.bytes)
	if err != nil {
		return err
	}
	return x.judgeDH(reply, q, nonce, ours)
}

// judgeDH says whether the answer shows that the peer has the key.
func (x *mtprotoExchange) judgeDH(reply []byte, q question, nonce int128, ours int256) error {
	r := tlReader{rest: reply}
	if r.id() != idServerDHParamsOK {
		return &Imposter{Reason: "it does not take what was enciphered for its key"}
	}
	echo, theirs := r.int128(), r.int128()
	sealed := r.bytes(mostAnswerOfDH)
	if r.bad || len(sealed) < leastAnswerOfDH || len(sealed)%aes.BlockSize != 0 {
		return &NotSpoken{Reason: fmt.Sprintf("a server_DH_params_ok with %d enciphered bytes", len(sealed))}
	}
	if echo != nonce || theirs != q.serverNonce || !opensDH(sealed, nonce, q.serverNonce, ours) {
		return &Imposter{Reason: "its answer does not show that it has the key"}
	}
	x.answer.Identity = true
	return nil
}

// opensDH says whether an answer, deciphered with our number, is what its hash says, and of this exchange.
// sealed has leastAnswerOfDH bytes at least, in whole blocks.
func opensDH(sealed []byte, nonce, serverNonce int128, ours int256) bool {
	key, iv := dhKeys(serverNonce, ours)
	open := ige(key, iv, sealed, false)
	r := tlReader{rest: open[sha1.Size:]}
	whole := len(r.rest)
	if r.id() != idServerDHInner || r.int128() != nonce || r.int128() != serverNonce {
		return false
	}
	r.id()       // g
	r.bytes(256) // dh_prime
	r.bytes(256) // g_a
	r.id()       // server_time
	if r.bad {
		return false
	}
	used := whole - len(r.rest)
	sum := sha1.Sum(open[sha1.Size : sha1.Size+used])
	return bytes.Equal(sum[:], open[:sha1.Size])
}

// dhKeys are those of the answer. core.telegram.org/mtproto/auth_key, step 6.
func dhKeys(serverNonce int128, ours int256) (key, iv []byte) {
	forth := sha1.Sum(slices.Concat(ours[:], serverNonce[:]))
	back := sha1.Sum(slices.Concat(serverNonce[:], ours[:]))
	twice := sha1.Sum(slices.Concat(ours[:], ours[:]))
	return slices.Concat(forth[:], back[:12]), slices.Concat(back[12:], twice[:], ours[:4])
}

// padded is the length to which padRSA fills up; 144 bytes is the most that it takes.
const padded = 192

// padRSA is RSA_PAD. core.telegram.org/mtproto/auth_key, section "RSA_PAD".
func padRSA(data []byte, k *rsa.PublicKey) []byte {
	filled := make([]byte, padded)
	copy(filled, data)
	random(filled[len(data):])
	for {
		var once [32]byte
		random(once[:])
		hash := sha256.Sum256(slices.Concat(once[:], filled))
		backwards := slices.Clone(filled)
		slices.Reverse(backwards)
		sealed := ige(once[:], make([]byte, 32), slices.Concat(backwards, hash[:]), true)
		mask := sha256.Sum256(sealed)
		for i := range once {
			once[i] ^= mask[i]
		}
		m := new(big.Int).SetBytes(slices.Concat(once[:], sealed))
		if m.Cmp(k.N) >= 0 {
			continue // about one in two, by the key's size
		}
		return m.Exp(m, big.NewInt(int64(k.E)), k.N).FillBytes(make([]byte, keyBits/8))
	}
}

// unpadRSA is its inverse, for who has the private key.
func unpadRSA(sealed []byte, k *rsa.PrivateKey) (data []byte, ok bool) {
	c := new(big.Int).SetBytes(sealed)
	if c.Cmp(k.N) >= 0 {
		return nil, false
	}
	m := powerOfPrivate(c, k).FillBytes(make([]byte, keyBits/8))
	once, body := m[:32], m[32:]
	mask := sha256.Sum256(body)
	for i := range once {
		once[i] ^= mask[i]
	}
	open := ige(once, make([]byte, 32), body, false)
	filled, hash := slices.Clone(open[:padded]), open[padded:]
	slices.Reverse(filled)
	want := sha256.Sum256(slices.Concat(once, filled))
	return filled, bytes.Equal(hash, want[:])
}

// powerOfPrivate is c to the private exponent, by way of the primes where they are known (RFC 8017, section
// 5.1.2): four times as fast, and the emulated data centres do little else.
func powerOfPrivate(c *big.Int, k *rsa.PrivateKey) *big.Int {
	v := &k.Precomputed
	if len(k.Primes) != 2 || v.Dp == nil || v.Dq == nil || v.Qinv == nil {
		return c.Exp(c, k.D, k.N)
	}
	p, q := k.Primes[0], k.Primes[1]
	ofP, ofQ := new(big.Int).Exp(c, v.Dp, p), new(big.Int).Exp(c, v.Dq, q)
	h := ofP.Sub(ofP, ofQ)
	h.Mod(h.Mul(h, v.Qinv), p)
	return h.Add(ofQ, h.Mul(h, q))
}

// ige is AES-256 in the mode "infinite garble extension", which the standard library does not have: each
// block is mixed with the one before it, in clear and enciphered. in is a multiple of 16 bytes.
func ige(key, iv, in []byte, encrypt bool) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	out := make([]byte, len(in))
	before, after := iv[:aes.BlockSize], iv[aes.BlockSize:] // of what goes out, and of what comes in
	if !encrypt {
		before, after = after, before
	}
	work := block.Encrypt
	if !encrypt {
		work = block.Decrypt
	}
	var b [aes.BlockSize]byte
	for i := 0; i < len(in); i += aes.BlockSize {
		at := in[i : i+aes.BlockSize]
		mix(b[:], at, before)
		work(b[:], b[:])
		mix(out[i:i+aes.BlockSize], b[:], after)
		before, after = out[i:i+aes.BlockSize], at
	}
	return out
}

func mix(to, a, b []byte) {
	for i := range to {
		to[i] = a[i] ^ b[i]
	}
}
