package main

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements/reference"
)

// helper is the far end of control X, while it is served.
type helper struct {
	listen string
	key    string
	stop   func() // closes the sockets and waits
}

// serveHelper opens both sockets and serves on them. The log says that, and no address: they may be the
// operator's own.
func serveHelper(listen string, log zerolog.Logger) (*helper, error) {
	far, err := reference.NewAnyName()
	if err != nil {
		return nil, err
	}
	stream, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	packets, err := net.ListenPacket("udp", listen)
	if err != nil {
		return nil, errors.Join(err, stream.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	serve := func(transport string, f func() error) {
		wg.Go(func() {
			if err := f(); err != nil {
				log.Error().Str("transport", transport).Msg("the helper's socket failed: it is not served any more")
			}
		})
	}
	serve("tcp", func() error { return far.ServeTLS(ctx, stream) })
	serve("udp", func() error { return far.ServeQUIC(ctx, packets) })
	log.Info().Msg("this telltale completes handshakes under any name for those who ask its reference (control X)")
	return &helper{listen: listen, key: far.Key(), stop: func() { cancel(); wg.Wait() }}, nil
}

// configureHelper starts, keeps or stops the helper. Like everything else it waits for consent.
func (s *speaker) configureHelper(cfg *config.Config) error {
	r := &cfg.Reference
	wanted := ""
	if r.Serve && !cfg.Consent.IsZero() {
		wanted = r.HelperListen
	}
	if s.helper != nil && s.helper.listen != wanted {
		s.helper.stop()
		s.helper, s.announced = nil, nil
	}
	if wanted == "" {
		return nil
	}
	if s.helper == nil {
		h, err := serveHelper(wanted, s.log)
		if err != nil {
			return err
		}
		s.helper = h
	}
	s.announced = &reference.Helper{Key: s.helper.key}
	for _, a := range r.HelperAddresses {
		s.announced.Addresses = append(s.announced.Addresses, a.String())
	}
	return nil
}

// close ends what the speaker serves itself.
func (s *speaker) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.helper != nil {
		s.helper.stop()
		s.helper, s.announced = nil, nil
	}
}
