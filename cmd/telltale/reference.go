package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/reference"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/probe"
)

// stateReference is where the key lies that a reference signs with. It is made once: whoever asks this
// reference has its public half in his configuration.
const stateReference = "reference-key"

// referenceKey is the state: the seed of an Ed25519 key (RFC 8032, section 5.1.5).
type referenceKey struct {
	Seed []byte `json:"seed"`
}

// keep is the part of a store that a key needs.
type keep interface {
	LoadKey(name string, v any) error
	SaveKey(name string, v any) error
}

var errDamagedKey = errors.New("the reference's key is damaged: put the old file back, or remove it and tell everybody who asks this reference the new public key")

// loadKey reads the key; the error wraps fs.ErrNotExist where there is none yet.
func loadKey(from keep) (ed25519.PrivateKey, error) {
	var kept referenceKey
	switch err := from.LoadKey(stateReference, &kept); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w (%w)", errDamagedKey, err)
	case len(kept.Seed) != ed25519.SeedSize:
		return nil, errDamagedKey
	}
	return ed25519.NewKeyFromSeed(kept.Seed), nil
}

// loadOrMakeKey reads the key, and makes it at the first start. A key that can't be read is an error:
// another one in its place would silence this reference for everybody.
func loadOrMakeKey(in keep) (ed25519.PrivateKey, error) {
	key, err := loadKey(in)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	_, key, err = ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return key, in.SaveKey(stateReference, referenceKey{key.Seed()})
}

// publicHalf is what others write into reference.public_key.
func publicHalf(key ed25519.PrivateKey) string {
	return base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
}

// speaker is this telltale as a reference for others: the answer to its last round, signed.
type speaker struct {
	log  zerolog.Logger
	keys keep

	mu     sync.Mutex
	key    ed25519.PrivateKey // nil: it is none
	answer []byte
	said   *reference.Answer // what answer says; nil while there is none

	helper    *helper           // nil: none is served
	announced *reference.Helper // in the answers from the next round on
}

// configure switches the reference, and its helper, on or off.
func (s *speaker) configure(cfg *config.Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.configureKey(cfg), s.configureHelper(cfg))
}

func (s *speaker) configureKey(cfg *config.Config) error {
	if !cfg.Reference.Serve {
		s.key, s.answer, s.said = nil, nil, nil
		return nil
	}
	if s.key != nil {
		return nil
	}
	key, err := loadOrMakeKey(s.keys)
	if err != nil {
		return err
	}
	s.key = key
	s.log.Info().Str("public_key", publicHalf(key)).Msg("this telltale is a reference for others, who need its public key")
	return nil
}

// hear takes a judged round in. A round on a broken line says nothing of the apps: the last answer
// stands, until those who ask find it stale.
func (s *speaker) hear(round *measurements.Round, verdict *measurements.RoundVerdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key == nil {
		return
	}
	answer, ok := reference.Of(round, verdict)
	if !ok {
		return
	}
	answer.Keep(s.said)
	answer.Helper = s.announced
	signed, err := reference.Sign(&answer, s.key)
	if err != nil {
		s.log.Error().Err(err).Msg("no answer for those who ask this reference")
		return
	}
	s.answer, s.said = signed, &answer
}

// say is what the web server serves.
func (s *speaker) say() (answer []byte, serves bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answer, s.key != nil
}

// asked is the reference of a configuration, for the plan; nil where there is none.
func asked(cfg *config.Config) *probe.Reference {
	if cfg.Reference.URL == "" {
		return nil
	}
	return &probe.Reference{URL: cfg.Reference.URL, PublicKey: cfg.Reference.PublicKey}
}

// referenceLine is what `check` says of a configuration that serves.
func referenceLine(cfg *config.Config) (string, error) {
	kept, err := store.Open(cfg.StorePath, store.Options{ReadOnly: true})
	if errors.Is(err, fs.ErrNotExist) {
		return "reference: its key is made at the first 'telltale run'", nil
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = kept.Close() }()
	key, err := loadKey(kept)
	if errors.Is(err, fs.ErrNotExist) {
		return "reference: its key is made at the first 'telltale run'", nil
	}
	if err != nil {
		return "", err
	}
	return "reference: public_key = \"" + publicHalf(key) + "\"", nil
}
