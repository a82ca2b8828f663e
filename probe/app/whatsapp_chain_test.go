package app

import (
	"bytes"
	"crypto/ed25519"
	"testing"
	"time"
)

// signer is the intermediate of the tests' internet, and above its key as certificates have it.
var (
	signer = ed25519.NewKeyFromSeed([]byte("the tests' intermediate, private"))
	above  = montgomery(signer.Public().(ed25519.PublicKey))
)

// good are certificates that hold, for a key.
func good(key []byte) (leaf, intermediate certificate) {
	leaf = certificate{serial: 7, issuer: 3, key: key, from: chatFrom, until: chatUntil}
	return leaf, certificate{serial: 3, key: above[:], from: chatFrom.Add(-time.Hour), until: chatUntil.Add(-time.Hour)}
}

// chained writes a chain that is signed as it should be, whatever it says.
func chained(leaf, intermediate certificate) []byte {
	b := appendBytesField(nil, fieldLeaf, leaf.signedBy(signer))
	return appendBytesField(b, fieldIntermediate, intermediate.signedBy(chatRoot))
}

// Each condition of a chain matters by itself.
func TestCertChain(t *testing.T) {
	key := newKey().PublicKey().Bytes()
	for _, c := range []struct {
		name   string
		change func(leaf, intermediate *certificate)
		want   string
	}{
		{"as it should be", func(_, _ *certificate) {}, ""},
		{"an intermediate of another issuer", func(_, i *certificate) { i.issuer = 1 }, "its intermediate certificate has another issuer than the root"},
		{"an intermediate without a key", func(_, i *certificate) { i.key = nil }, "its leaf certificate is not signed by the intermediate"},
		{"an intermediate with a long key", func(_, i *certificate) { i.key = append(bytes.Clone(i.key), 0) }, "its leaf certificate is not signed by the intermediate"},
		{"an intermediate with another key", func(_, i *certificate) { i.key = key }, "its leaf certificate is not signed by the intermediate"},
		{"a leaf of another issuer", func(l, _ *certificate) { l.issuer = 0 }, "its leaf certificate has another issuer than the intermediate"},
		{"a leaf for nobody", func(l, _ *certificate) { l.key = nil }, "its leaf certificate is for another key"},
		{"a leaf for another key", func(l, _ *certificate) { l.key = above[:] }, "its leaf certificate is for another key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			leaf, intermediate := good(key)
			c.change(&leaf, &intermediate)
			chain, err := parseCertChain(chained(leaf, intermediate))
			if err != nil || chain.newer {
				t.Fatalf("read %+v, %v", chain, err)
			}
			if got := chain.untrue(WhatsAppRootOf(chatRoot), key); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A chain holds while both of its certificates do; without dates it is over.
func TestCertChainDates(t *testing.T) {
	chain, err := parseCertChain(chained(good(nil)))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := chain.dates(); !a.Equal(chatFrom) || !b.Equal(chatUntil.Add(-time.Hour)) {
		t.Errorf("it holds from %v to %v", a, b)
	}
	chain.intermediate.from = chatFrom.Add(time.Hour)
	if a, _ := chain.dates(); !a.Equal(chatFrom.Add(time.Hour)) {
		t.Errorf("it holds from %v", a)
	}
	if _, b := (certChain{leaf: certificate{until: date(0)}, intermediate: certificate{until: date(1)}}).dates(); b.Unix() != 0 {
		t.Errorf("it holds to %v", b)
	}
	if got := date(1<<64 - 1); got.Year() != 9999 {
		t.Errorf("the last date is %v", got)
	}
}

// No changed bit of a chain is believed, nor is a chain that is cut short.
func TestCertChainChanged(t *testing.T) {
	key := newKey().PublicKey().Bytes()
	b := chained(good(key))
	believed := func(b []byte) bool {
		chain, err := parseCertChain(b)
		return err == nil && chain.untrue(WhatsAppRootOf(chatRoot), key) == ""
	}
	if !believed(b) {
		t.Fatal("the chain is not believed")
	}
	for i := range b {
		changed := bytes.Clone(b)
		changed[i] ^= 1
		if believed(changed) {
			t.Errorf("byte %d changed, and it is believed", i)
		}
		if believed(b[:i]) {
			t.Errorf("%d of %d bytes are believed", i, len(b))
		}
	}
}

// What a newer server might say is not called a lie, and is believed where it can be verified.
func TestNewerHandshake(t *testing.T) {
	static := newKey()
	leaf, intermediate := good(static.PublicKey().Bytes())
	honest := chained(leaf, intermediate)
	leaf.issuer = 0
	untrue := chained(leaf, intermediate)
	chainField := func(b []byte) []byte { return appendBytesField(bytes.Clone(b), 3, []byte("new")) }
	helloField := func(number uint64) func([]byte) []byte {
		return func(inner []byte) []byte { return appendBytesField(bytes.Clone(inner), number, []byte("new")) }
	}
	same := func(b []byte) []byte { return b }
	const newer = "not the app's protocol: a newer handshake: "
	for _, c := range []struct {
		name   string
		chain  []byte
		inner  func([]byte) []byte
		answer func(second) second
		want   string
	}{
		{"verified, with a field more in the chain", chainField(honest), same, nil, ""},
		{"verified, with a field more in the hello", honest, helloField(9), nil, ""},
		{"padding is not news", untrue, helloField(fieldPadding), nil, "not the app: its leaf certificate has another issuer than the intermediate"},
		{"not true, with a field more in the chain", chainField(untrue), same, nil, newer + "its leaf certificate has another issuer than the intermediate"},
		{"not true, with a ciphertext of another kind", untrue, helloField(6), nil, newer + "its leaf certificate has another issuer than the intermediate"},
		{"a payload that is no chain", []byte("\x00"), same, nil, "not the app: it has no certificate chain"},
		{"a hello that does not decrypt", honest, same, func(m second) second { m.payload[0] ^= 1; return m }, "not the app: its hello does not decrypt"},
		{"the same, of another kind", honest, helloField(4), func(m second) second { m.payload[0] ^= 1; return m }, newer + "its hello does not decrypt"},
		{"no static key", honest, same, func(m second) second { m.static = nil; return m }, "not the app's protocol: no server hello in the message"},
		{"no static key, but another", honest, helloField(4), func(m second) second { m.static = nil; return m }, newer + "no server hello in the message"},
	} {
		t.Run(c.name, func(t *testing.T) {
			initiator, r := newNoise([]byte(whatsAppHeader), newKey()), newNoise([]byte(whatsAppHeader), newKey())
			first := initiator.initiate()
			r.mixHash(first)
			m, err := r.answer(first, static, c.chain)
			if err != nil {
				t.Fatal(err)
			}
			if c.answer != nil {
				m = c.answer(m)
			}
			var inner []byte
			if err := eachField(appendHello(nil, fieldServerHello, m), func(f field) { inner = f.bytes }); err != nil {
				t.Fatal(err)
			}
			answer, err := chatInput(false).judge(initiator, appendBytesField(nil, fieldServerHello, c.inner(inner)))
			if said(err) != c.want || answer.Verified != (c.want == "") {
				t.Errorf("got %+v, %q, want %q", answer, said(err), c.want)
			}
		})
	}
}

// FuzzCertChain reads chains of hostile servers: none is believed.
func FuzzCertChain(f *testing.F) {
	key := bytes.Repeat([]byte("k"), 32)
	leaf, intermediate := good(key)
	leaf.issuer = 0 // else the seed would be true
	f.Add(chained(leaf, intermediate))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		chain, err := parseCertChain(b)
		if err == nil && chain.untrue(WhatsAppRootOf(chatRoot), key) == "" {
			t.Error("believed")
		}
		from, until := chain.dates()
		for _, date := range []time.Time{from, until} {
			if _, err := date.MarshalJSON(); err != nil {
				t.Error(err)
			}
		}
	})
}
