package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"
)

// hangUps catches SIGHUP, by which operators and service managers ask a daemon to read its configuration again; that
// the terminal was closed under it is no reason to end either. Windows sends none.
func hangUps() (heard chan os.Signal, release func()) {
	heard = make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	return heard, func() { signal.Stop(heard) }
}

// heed reloads for each until ctx ends.
func heed(ctx context.Context, heard <-chan os.Signal, reload func() error, log zerolog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-heard:
		}
		if err := reload(); err != nil {
			log.Error().Err(err).Msg("the configuration was not reloaded")
		} else {
			log.Info().Msg("the configuration was reloaded")
		}
	}
}
