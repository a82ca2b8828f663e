package reference

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// MaxBytes bounds a signed answer. Chosen by us: the default catalogue makes some tens of KiB, and a
// volunteer pays for each byte.
const MaxBytes = 1 << 20

// signed is an answer on its way: the signature is over the payload's very bytes, so that nothing
// depends on how JSON is written again (RFC 8032, Ed25519 without prehash).
type signed struct {
	Payload   []byte `json:"payload"` // base64 of an Answer's JSON
	Signature []byte `json:"signature"`
}

// Why an answer is not taken. Whoever asked goes on without control R.
var (
	ErrTooLarge  = fmt.Errorf("the answer is larger than %d bytes", MaxBytes)
	ErrMalformed = errors.New("the answer can't be read")
	ErrSignature = errors.New("the answer is not signed with the reference's key")
	ErrStale     = fmt.Errorf("the answer is older than %v", measurements.ReferenceMaxAge)
	ErrFuture    = fmt.Errorf("the answer is more than %v ahead of our clock", measurements.ReferenceMaxAhead)
)

// Sign gives the bytes that a reference serves. It fails on an answer that Open would refuse.
func Sign(a *Answer, key ed25519.PrivateKey) ([]byte, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, errors.New("reference: no Ed25519 key to sign with")
	}
	if err := a.check(); err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	payload, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	out, err := json.Marshal(signed{payload, ed25519.Sign(key, payload)})
	if err == nil && len(out) > MaxBytes {
		err = ErrTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	return out, nil
}

// Open reads a reference's answer: first its size and its signature, then its time, then what it says.
// The error wraps one of the Err values; whatever it is, nothing of the answer is to be used.
func Open(body []byte, key ed25519.PublicKey, now time.Time) (*Answer, error) {
	if len(body) > MaxBytes {
		return nil, ErrTooLarge
	}
	var s signed
	if err := strictly(body, &s); err != nil {
		return nil, fmt.Errorf("%w: it is no signed answer", ErrMalformed)
	}
	if len(key) != ed25519.PublicKeySize || len(s.Signature) != ed25519.SignatureSize || !ed25519.Verify(key, s.Payload, s.Signature) {
		return nil, ErrSignature
	}
	var a Answer
	// Later versions may add keys: only the envelope is read strictly.
	if err := json.Unmarshal(s.Payload, &a); err != nil {
		return nil, fmt.Errorf("%w: what is signed is no answer", ErrMalformed) // err may quote all of it
	}
	if err := a.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := a.Fresh(now); err != nil {
		return nil, err
	}
	return &a, nil
}

// Fresh says whether the answer may be taken for the present.
func (a *Answer) Fresh(now time.Time) error {
	switch age := now.Sub(a.Time); {
	case age > measurements.ReferenceMaxAge:
		return ErrStale
	case -age > measurements.ReferenceMaxAhead:
		return ErrFuture
	}
	return nil
}

func strictly(b []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one value")
	}
	return nil
}
