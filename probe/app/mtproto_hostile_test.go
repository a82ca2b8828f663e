package app

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // the exchange is made with it
	"errors"
	"slices"
	"sync"
	"testing"
)

// The nonces of these tests: what a peer has to repeat, so that a fuzzer gets past it.
var (
	fixedNonce  = int128([]byte("nonce of a test."))
	theirNonce  = int128([]byte("nonce of theirs."))
	fixedSecret = int256([]byte("a number that the peer deciphers"))
)

var hostileKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		panic(err)
	}
	return key
})

func hostileExchange() *mtprotoExchange {
	return &mtprotoExchange{in: MTProtoInput{Keys: []*rsa.PublicKey{&hostileKey().PublicKey}, DC: 1, Identity: true}}
}

// answerOfDH is a server_DH_params_ok of the exchange with the fixed nonces, around what is sealed.
func answerOfDH(sealed []byte) []byte {
	var w tlWriter
	w.id(idServerDHParamsOK)
	w.put(fixedNonce[:])
	w.put(theirNonce[:])
	w.text(sealed)
	return w.bytes
}

// sealedDH enciphers as the holder of the key would.
func sealedDH(plain []byte) []byte {
	plain = append(slices.Clone(plain), make([]byte, (16-len(plain)%16)%16)...)
	key, iv := dhKeys(theirNonce, fixedSecret)
	return ige(key, iv, plain, true)
}

// hashed puts an inner message behind its hash.
func hashed(inner []byte) []byte {
	sum := sha1.Sum(inner)
	return slices.Concat(sum[:], inner)
}

// innerDH is a server_DH_inner_data with numbers of so many bytes.
func innerDH(numbers int) []byte {
	var w tlWriter
	w.id(idServerDHInner)
	w.put(fixedNonce[:])
	w.put(theirNonce[:])
	w.id(3)
	w.text(bytes.Repeat([]byte{0xc7}, numbers))
	w.text(bytes.Repeat([]byte{0x5b}, numbers))
	w.id(1_795_000_000)
	return w.bytes
}

func judgedDH(reply []byte) (MTProtoAnswer, error) {
	x := hostileExchange()
	err := x.judgeDH(reply, question{serverNonce: theirNonce}, fixedNonce, fixedSecret)
	return x.answer, err
}

// An enciphered answer may be of any length: whoever gives Telegram's public fingerprint gets to send one.
func TestMTProtoLengthsOfTheLastAnswer(t *testing.T) {
	for _, test := range []struct {
		length int
		spoken bool // long enough to be looked into
	}{{0, false}, {15, false}, {16, false}, {32, false}, {48, false}, {64, false}, {leastAnswerOfDH, true}, {81, false}, {592, true}, {mostAnswerOfDH, true}, {656, false}} {
		got, err := judgedDH(answerOfDH(make([]byte, test.length)))
		_, imposter := errors.AsType[*Imposter](err)
		_, notSpoken := errors.AsType[*NotSpoken](err)
		if imposter != test.spoken || notSpoken == test.spoken || got.Identity {
			t.Errorf("%d bytes: %+v, %v", test.length, got, err)
		}
	}
	for _, numbers := range []int{0, 1, 248, 256} {
		if got, err := judgedDH(answerOfDH(sealedDH(hashed(innerDH(numbers))))); err != nil || !got.Identity {
			t.Errorf("numbers of %d bytes: %+v, %v", numbers, got, err)
		}
	}
}

// Whatever stands behind our nonce is read to its end or refused, and no key is found that is not ours.
func FuzzMTProtoResPQ(f *testing.F) {
	s := MTProtoServer{Key: hostileKey()}
	f.Add(s.resPQ(fixedNonce)[20:])
	f.Add(make([]byte, 16))
	f.Fuzz(func(t *testing.T, rest []byte) {
		var w tlWriter
		w.id(idResPQ)
		w.put(fixedNonce[:])
		x := hostileExchange()
		q, err := x.resPQ(append(w.bytes, rest...), fixedNonce)
		if (err == nil) != (q.key != nil) || err == nil && q.p*q.q != q.pq || x.answer.Fingerprints > mostKeys {
			t.Errorf("%+v, %+v, %v", q, x.answer, err)
		}
	})
}

// The last answer as it comes: without our number nobody can make one that is believed.
func FuzzMTProtoDH(f *testing.F) {
	f.Add(make([]byte, 16))
	f.Add(make([]byte, leastAnswerOfDH))
	f.Add(sealedDH(innerDH(256)))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		for _, reply := range [][]byte{answerOfDH(sealed[:min(len(sealed), 1<<16)]), sealed} {
			if got, err := judgedDH(reply); (err == nil) != got.Identity {
				t.Errorf("%x: %+v, %v", reply, got, err)
			}
		}
	})
}

// The same from a peer that has our number: what is deciphered is its own to choose, with a right hash or not.
func FuzzMTProtoDHPlain(f *testing.F) {
	f.Add(innerDH(256))
	f.Add(innerDH(0))
	f.Add(innerDH(3)[:40])
	f.Fuzz(func(t *testing.T, plain []byte) {
		plain = plain[:min(len(plain), 1<<12)]
		for _, p := range [][]byte{plain, hashed(plain)} {
			if got, err := judgedDH(answerOfDH(sealedDH(p))); (err == nil) != got.Identity {
				t.Errorf("%x: %+v, %v", p, got, err)
			}
		}
	})
}
