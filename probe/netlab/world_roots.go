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

// Apps gives apps as they are in this world: a target with roots or keys of its own has the emulation's in
// their place, since nobody has the secrets of the real ones.
func (w *World) Apps(apps ...probe.App) []probe.App {
	apps = slices.Clone(apps)
	for i := range apps {
		apps[i].Targets = slices.Clone(apps[i].Targets)
		for j := range apps[i].Targets {
			w.own(&apps[i].Targets[j])
		}
	}
	return apps
}

func (w *World) own(t *probe.Target) {
	if len(t.Roots) > 0 && w.private != nil {
		t.Roots = []*x509.Certificate{w.private.root}
	}
	if len(t.Keys) > 0 {
		t.Keys = []*rsa.PublicKey{&theSecrets().telegram.PublicKey}
	}
	if t.NoiseRoot != [32]byte{} {
		t.NoiseRoot = theSecrets().whatsappRoot
	}
}
