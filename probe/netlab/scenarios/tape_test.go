package scenarios_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// everything is the list of what is sent, as `telltale catalogue --bytes` prints it.
func everything(ctx context.Context, cfg *config.Config, apps []probe.App) map[message]bool {
	list := probe.TapeIdentity(ctx)
	for _, app := range apps {
		for _, t := range app.Targets {
			list = append(list, probe.Tape(ctx, t)...)
		}
	}
	for _, c := range cfg.Controls {
		list = append(list, probe.TapeControl(ctx, c)...)
	}
	for _, r := range append(slices.Clone(cfg.Trusted), probe.Resolver{URL: "tcp://192.0.2.53"}) {
		list = append(list, probe.TapeResolver(ctx, r, cfg.Controls[0].Host)...)
	}
	for _, r := range cfg.Trusted {
		list = append(list, probe.TapeRecord(ctx, r, cfg.Controls[0].Host)...)
	}
	return listed(list)
}

// What rounds send is what the list says, byte for byte where bytes are not fresh each time: on a clean line, and on
// lines on which the controls are called for. And the list has no form of a message that is never sent.
func TestTheListIsWhatIsSent(t *testing.T) {
	cfg := config.Default()
	apps := slices.Concat(cfg.Apps, config.More(), []probe.App{cfg.Placebo})
	few := slices.DeleteFunc(slices.Clone(apps), func(a probe.App) bool { return a.ID != "whatsapp" })
	sent := overheard(t, cfg, apps)
	maps.Copy(sent, overheard(t, cfg, few, netlab.Rule{ID: "quic", Protocol: netlab.UDP, Ports: []uint16{443}, Action: netlab.Drop}))
	maps.Copy(sent, overheard(t, cfg, few, netlab.Rule{ID: "large", Protocol: netlab.TLS, Shape: "large", Action: netlab.Drop},
		netlab.Rule{ID: "names", Protocol: netlab.DNS, Names: []string{".whatsapp.com"}, Action: netlab.DNSNXDomain},
		netlab.Rule{ID: "doh", Protocol: netlab.TLS, Names: []string{"dns.quad9.net", "cloudflare-dns.com"}, Action: netlab.Reset}))
	var list map[message]bool
	synctest.Test(t, func(t *testing.T) { list = everything(t.Context(), cfg, apps) })

	forms, names, did := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for m := range list {
		forms[m.form], names[m.name] = true, true
	}
	for m := range sent {
		did[m.form] = true
		isDNS := strings.HasPrefix(m.form, "dns ")
		switch {
		case isDNS && !names[m.name]:
			t.Errorf("asked for, and not listed: %s", m.name)
		case list[m], (isDNS || !names[m.name]) && forms[m.form]: // every name is asked in every way; a neutral one is any
		case names[m.name] || !atRoot(m.form, forms):
			t.Errorf("sent and not listed: %+v", m)
		}
	}
	for form := range forms {
		if !did[form] {
			t.Errorf("listed and never sent: %s", form)
		}
	}
	t.Logf("%d messages in %d forms", len(sent), len(did))
}

// atRoot says whether a request is control N's: for "/", in the form in which the target's path is asked for.
func atRoot(form string, forms map[string]bool) bool {
	_, fields, ok := strings.Cut(form, " / ")
	for listed := range forms {
		if ok && strings.HasPrefix(form, "GET ") && strings.HasPrefix(listed, "GET ") && strings.HasSuffix(listed, fields) {
			return true
		}
	}
	return false
}

// overheard is what a round of `once` sends, with all that is opt-in.
func overheard(t *testing.T, cfg *config.Config, apps []probe.App, rules ...netlab.Rule) (sent map[message]bool) {
	synctest.Test(t, func(t *testing.T) {
		var tap wiretap
		w, err := netlab.New(netlab.Options{Apps: apps, Controls: cfg.Controls, Trusted: cfg.Trusted, Heard: tap.hear})
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = w.Close() }()
		w.Network().Censor(rules...)
		plan := &probe.Plan{Host: tap.on(w.Host()), Apps: w.Apps(apps...), Controls: cfg.Controls, Trusted: cfg.Trusted,
			Families: cfg.Families, Timeout: cfg.Timeout, Parallel: cfg.Parallel, Ledger: schedule.NewLedger(cfg.Residual),
			Thorough: true, Opaque: true, VolumeEvery: 1, IdentityEvery: 7 * 24 * time.Hour, Suspicion: &schedule.Suspicion{}}
		plan.Run(t.Context())
		sent = tap.messages()
	})
	return sent
}
