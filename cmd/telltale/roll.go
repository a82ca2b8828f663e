package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements/delivery"
	"github.com/telltale-probe/telltale/measurements/remotewrite"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/privacy"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// telling are the documents out of which what was pushed before would be pushed again: when a block began,
// when the last round ended, which series there were, whose turn it is.
func telling() []string {
	return append([]string{stateHistory, stateMetrics, stateTurns}, remotewrite.Remembered...)
}

// roll makes another vantage of this one for whoever receives what is pushed, and gives its id. Nothing that
// is random, grows, or tells of a moment may be on both sides of it:
//
//   - What waits under the old id, metrics and evidence, is given up.
//   - The networks' names get another key.
//   - The histories begin anew, those of the findings' metrics too. To keep them under other names would not do:
//     onsets are pushed to the millisecond, and a block that is confirmed at first sight is nobody's but of
//     one who has looked before. It costs the hours until what stands is confirmed again, no more.
//
// Counters begin at 0 with each start. The evidence here, the budget and the ledger of what must be left alone
// stay; records tell no more when that failed. The id is the last that changes: what ends halfway has told
// receivers nothing, and can be made again.
func roll(s *store.Store) (id string, err error) {
	if err := s.Forget([]string{remotewrite.Kind, delivery.EvidenceKind}, telling()); err != nil {
		return "", err
	}
	if err := hush(s); err != nil {
		return "", err
	}
	if err := s.SaveKey(stateEpoch, probe.NewEpochKey()); err != nil {
		return "", err
	}
	return newInstance(s)
}

// hush keeps what must be left alone, and lets no record tell how long ago it failed. A ledger that can't be
// read is none for the daemon, either.
func hush(s *store.Store) error {
	var ledger []schedule.Entry
	if err := s.LoadState(stateLedger, &ledger); err != nil {
		return s.Forget(nil, []string{stateLedger})
	}
	schedule.Hush(ledger)
	return s.SaveState(stateLedger, ledger)
}

// rollID gives this vantage another id at its receivers, and says what that can't change. With --store.path it
// asks no config: one whose secrets systemd hands to the service alone can't be read here.
func rollID(c *cli, t terminal) error {
	cfg, err := c.config()
	dir, place := c.StorePath, "what [vantage] of the configuration says"
	if err == nil {
		dir, place = cfg.StorePath, ofPlace(cfg)
	} else if dir == "" {
		return err
	}
	there, err := store.Exists(dir)
	if err != nil {
		return err
	}
	if !there { // a new one would have a new id, and the daemon's would go on
		return usagef("there is no store in %s, so no id was changed: name the daemon's with --store.path (a package's is /var/lib/telltale)", dir)
	}
	// Without bounds no evidence goes.
	kept, err := store.Open(dir, store.Options{Log: c.loggerOf(&privacy.Writer{To: t.err, Own: probe.Host{}.OwnNow})})
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%w: stop 'telltale run' first", err)
	}
	if err != nil {
		return err
	}
	defer func() { _ = kept.Close() }()
	id, err := roll(kept)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(t.out, rolledText, id, dir, place)
	return nil
}

// rolledText says what is another now, and by what a receiver can know this vantage all the same.
const rolledText = `The new id is %s, in %s.
Networks have new names, histories and onsets begin anew, and what waited under
the old id is given up. By these a receiver can know you still:
  - %s
  - the password, token or certificate that you show it, your address if you use
    no proxy, and a catalogue, hosts or resolvers that are yours alone
  - what your line is like, and that one falls silent as the other begins: wait
    some hours, or days, before 'telltale run'
`

// ofPlace is what the configuration says of the place.
func ofPlace(cfg *config.Config) string {
	var out []string
	if v := cfg.Vantage; v.Country != "" && v.Country != "ZZ" {
		out = append(out, "country "+v.Country)
	}
	if cfg.Vantage.ASN > 0 {
		out = append(out, fmt.Sprintf("network AS%d", cfg.Vantage.ASN))
	}
	if cfg.Vantage.Label != "" {
		out = append(out, fmt.Sprintf("label %q", cfg.Vantage.Label))
	}
	if len(out) == 0 {
		out = []string{"nothing"}
	}
	return "what [vantage] of the configuration says: " + strings.Join(out, ", ")
}
