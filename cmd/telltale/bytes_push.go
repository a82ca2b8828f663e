package main

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/delivery"
	"github.com/telltale-probe/telltale/measurements/remotewrite"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/probe"
)

// hidden stands in the list for what is a secret between the volunteer and a receiver.
const hidden = "not-shown-here"

// printBytesPushed lists what the receivers of [push] get: the requests, with as good as nothing in them, since what was
// found differs each time. What is in them otherwise is at /metrics, and in what `telltale export` prints.
func printBytesPushed(t terminal, cfg *config.Config) {
	if cfg.Push.Metrics.URL != nil {
		send := func(post *delivery.Post) {
			_ = remotewrite.NewWriter(post, zerolog.Nop()).Send(context.Background(), nil)
		}
		printMessages(t, "receiver of metrics, by remote write 2.0, or 1.0 where it does not know that; what is at /metrics follows, with the vantage's random id, and is left out here", toReceiver(&cfg.Push.Metrics, send))
	}
	if cfg.Push.Evidence.URL != nil {
		send := func(post *delivery.Post) {
			e := delivery.Evidence{Post: post, Rounds: nothingFound{}, Log: zerolog.Nop()}
			_ = e.Send(context.Background(), []store.Message{delivery.EvidenceMessage(&measurements.Round{ID: hidden})})
		}
		printMessages(t, "receiver of evidence; here of a round in which nothing was seen, gzipped", toReceiver(&cfg.Push.Evidence, send))
	}
}

// toReceiver lists a request to a receiver, with its secrets hidden.
func toReceiver(r *config.Receiver, send func(*delivery.Post)) []probe.Message {
	shown := *r
	shown.Header = http.Header{}
	for name := range r.Header {
		shown.Header[name] = []string{hidden}
	}
	if r.Bearer != "" {
		shown.Bearer = hidden
	}
	if r.User != "" {
		shown.User, shown.Password = hidden, hidden
	}
	if r.Proxy != nil && r.Proxy.User != nil {
		proxy := *r.Proxy
		proxy.User = url.UserPassword(hidden, hidden)
		shown.Proxy = &proxy
	}
	return outletTo(&shown).Tape(r.URL, func(through http.RoundTripper) { send(postTo(&shown, through)) })
}

// nothingFound is a store with a round in which nothing was seen.
type nothingFound struct{}

// Round gives that one.
func (nothingFound) Round(id string, started time.Time) (measurements.Round, error) {
	return measurements.Round{ID: id, Started: started, Gate: measurements.Measurement{App: measurements.ControlApp, Started: started}}, nil
}
