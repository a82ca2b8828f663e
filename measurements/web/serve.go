package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"github.com/rs/zerolog"
)

const (
	// Chosen by us: slow readers must not hold a small machine's memory for ever. Evidence may take longer
	// (patient.go).
	readTimeout    = 10 * time.Second
	writeTimeout   = 30 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 16 << 10

	// shutdownTimeout is how long answers under way may take to end. Chosen by us: the program stops within a
	// second, whoever reads.
	shutdownTimeout = 700 * time.Millisecond
)

// Listen opens the configured addresses, all or none, for whoever must know that they are free before he does
// anything else. ListenAndServe then serves on them, and closes them.
func (s *Server) Listen() error {
	if s.config.SystemdSocket || s.listeners != nil {
		return nil
	}
	if len(s.config.Listen) == 0 {
		return web.ErrNoListeners
	}
	var opened []Listener
	for _, address := range s.config.Listen {
		l, err := net.Listen("tcp", address)
		if err != nil {
			for _, other := range opened {
				err = errors.Join(err, other.Close())
			}
			return err
		}
		opened = append(opened, l)
	}
	s.listeners = opened
	return nil
}

// ListenAndServe serves on the configured addresses until ctx is done, then lets answers under way
// end, for a moment, and returns nil. An address that can't be listened on, or a wrong web config, is an error.
func (s *Server) ListenAndServe(ctx context.Context) error {
	if err := s.Listen(); err != nil {
		return err
	}
	if !s.config.SystemdSocket {
		for _, address := range s.config.Listen {
			s.warnIfPublic(address)
		}
	}
	return s.until(ctx, func(server *http.Server, flags *web.FlagConfig, log *slog.Logger) error {
		if s.config.SystemdSocket {
			return web.ListenAndServe(server, flags, log)
		}
		defer func() { // a wrong web config ends before the server closes them
			for _, l := range s.listeners {
				_ = l.Close()
			}
		}()
		return web.ServeMultiple(s.listeners, server, flags, log)
	})
}

// Serve is ListenAndServe on a listener that the caller opened, which it closes: for whoever must
// know the port first.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	s.warnIfPublic(l.Addr().String())
	return s.until(ctx, func(server *http.Server, flags *web.FlagConfig, log *slog.Logger) error {
		defer func() { _ = l.Close() }() // a wrong web config ends before the server closes it
		return web.Serve(l, server, flags, log)
	})
}

// until runs a server until ctx is done or the server fails.
func (s *Server) until(ctx context.Context, serve func(*http.Server, *web.FlagConfig, *slog.Logger) error) error {
	logger := slog.New(zerolog.NewSlogHandler(s.config.Log))
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	server.RegisterOnShutdown(s.stop)
	flags := &web.FlagConfig{
		WebListenAddresses: &s.config.Listen,
		WebSystemdSocket:   &s.config.SystemdSocket,
		WebConfigFile:      &s.config.WebConfigFile,
	}
	failed := make(chan error, 1)
	go func() { failed <- serve(server, flags, logger) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// The caller's context is done: ending well needs one of its own.
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(patience)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		s.config.Log.Info().Msg("answers that nobody took in time were cut off")
		err = server.Close()
	case err != nil:
		err = errors.Join(err, server.Close())
	}
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// ValidateConfig says what is wrong with a web config file; "" is none, and right.
func ValidateConfig(path string) error { return web.Validate(path) }

func (s *Server) warnIfPublic(address string) {
	if !loopback(address) {
		s.config.Log.Warn().Str("address", address).Msg("others on the network can see that telltale runs here and what it found; " +
			"--web.config.file can ask for a password")
	}
}

// loopback says whether only this machine reaches an address. A name other than localhost may mean
// anything.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
