package netlab

import (
	"crypto/rsa"
	"crypto/x509"
	"slices"

	"github.com/telltale-probe/telltale/probe"
)

// ownRoots says whether any target trusts an authority of its own alone.
func (o *Options) ownRoots() bool {
	return slices.ContainsFunc(o.Apps, func(a probe.App) bool {
		return slices.ContainsFunc(a.Targets, func(t probe.Target) bool { return len(t.Roots) > 0 })
	})
}

// Pinned gives the app as it is in this world: a target with roots or keys of its own has the emulation's in
// their place, since nobody has the secrets of the real ones.
func (w *World) Pinned(app probe.App) probe.App {
	app.Targets = slices.Clone(app.Targets)
	for i := range app.Targets {
		if t := &app.Targets[i]; len(t.Roots) > 0 && w.private != nil {
			t.Roots = []*x509.Certificate{w.private.root}
		}
		if t := &app.Targets[i]; len(t.Keys) > 0 {
			t.Keys = []*rsa.PublicKey{&theSecrets().telegram.PublicKey}
		}
		if t := &app.Targets[i]; t.NoiseRoot != [32]byte{} {
			t.NoiseRoot = theSecrets().whatsappRoot
		}
	}
	return app
}
