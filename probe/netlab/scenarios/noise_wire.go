package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
)

// at are rules for what is at such addresses, whatever the name; none where there are no addresses.
func at(addresses []netip.Prefix, rules ...netlab.Rule) []netlab.Rule {
	if len(addresses) == 0 {
		return nil
	}
	rules = slices.Clone(rules)
	for i := range rules {
		rules[i].Addresses = addresses
	}
	return rules
}

// afflict puts rules on the wire, with names of their own, and takes away those that are over.
func afflict(w *netlab.World, rules ...netlab.Rule) {
	for i := range rules {
		rules[i].ID = fmt.Sprintf("trouble-%v-%d", rules[i].From, i)
	}
	w.Network().Expire()
	w.Network().Censor(rules...)
}

// prefixes are a target's addresses.
func prefixes(w *netlab.World, t probe.Target) []netip.Prefix {
	out := addressesOf(w, t.Hosts)
	for _, a := range t.Addresses {
		out = append(out, netip.PrefixFrom(a, a.BitLen()))
	}
	return out
}

// siteOf is the block in which one of a target's addresses lies, an operator's /16 or /32: what else has an address
// there shares its fate, while the target's other addresses are fine.
func siteOf(w *netlab.World, t probe.Target, number int) []netip.Prefix {
	at := prefixes(w, t)
	if len(at) == 0 {
		return nil
	}
	a := at[number%len(at)].Addr()
	bits := 32
	if a.Is4() {
		bits = 16
	}
	return []netip.Prefix{netip.PrefixFrom(a, bits).Masked()}
}

// resolverOf are the addresses of the resolver under test.
func resolverOf(w *netlab.World) []netip.Prefix {
	var out []netip.Prefix
	if list, err := w.Host().SystemResolvers(); err == nil {
		for _, at := range list {
			out = append(out, netip.PrefixFrom(at.Addr(), at.Addr().BitLen()))
		}
	}
	return out
}

// play lets the troubles begin, each at its time, until ctx ends. It fails where one can't.
func play(ctx context.Context, w *netlab.World, troubles []trouble) error {
	start := time.Now()
	var errs []error
	for _, t := range troubles {
		timer := time.NewTimer(time.Until(start.Add(t.at)))
		select {
		case <-timer.C:
			errs = append(errs, t.begin(w))
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(errs...)
		}
	}
	return errors.Join(errs...)
}
