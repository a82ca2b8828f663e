package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// hangUps catches SIGHUP, by which operators and service managers ask a daemon to read its configuration again; that
// the terminal was closed under it is no reason to end either. Windows sends none.
func hangUps() (heard chan os.Signal, release func()) {
	heard = make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	return heard, func() { signal.Stop(heard) }
}

// heed reloads for each until ctx ends.
func heed(ctx context.Context, heard <-chan os.Signal, reload func() error) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-heard:
			_ = reload() // which says in the log what came of it
		}
	}
}
