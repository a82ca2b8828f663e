package main

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/kerneltest"
)

// closedPlace is a network without a way out: no default route, so that only what the config names is reached.
type closedPlace struct {
	build func(*testing.T, *kerneltest.Lab) kernelPlace
	pin   bool // by the resolver's word alone nobody goes there, or there is no other sign of the family
}

var closedPlaces = map[string]closedPlace{
	"neighbours":                   {neighbours, true},
	"neighbours that nobody pins":  {neighbours4, false},
	"private neighbours":           {privateNeighbours, true},
	"addresses on lo":              {onLoopback, true},
	"loopback addresses":           {loopback, true},
	"addresses on lo, none pinned": {onLoopback4, false},
}

// The whole program in a network that leads nowhere, where apps, controls and resolvers are local servers.
func TestKernelClosedNetwork(t *testing.T) {
	binary := kernelBinary(t)
	for name, c := range closedPlaces {
		for what, test := range map[string]func(*testing.T, *kernelWorld, kernelConfig){
			"clean": closedClean, "a name is reset": closedReset, "an address is refused": closedRefused,
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				lab := kerneltest.New(t)
				config := agreed
				config.Pinned = c.pin
				test(t, newKernelWorldAt(t, binary, lab, c.build(t, lab)), config)
			})
		}
	}
}

func closedClean(t *testing.T, w *kernelWorld, c kernelConfig) {
	wantTargetsIn(t, w.onceWith(c), w.families(), nil)
}

// Whoever stands before the servers resets what carries one name in clear.
func closedReset(t *testing.T, w *kernelWorld, c kernelConfig) {
	for _, tables := range []string{"iptables", "ip6tables"} {
		w.Run(kerneltest.Server, tables, "-w", "-A", "INPUT", "-p", "tcp", "--dport", "443",
			"-m", "string", "--algo", "bm", "--string", "chat.alpha.example.net", "-j", "REJECT", "--reject-with", "tcp-reset")
	}
	found := w.both(measurements.LayerVerdict{Layer: measurements.LayerTLS, State: measurements.Blocked, Signature: "tls.reset.sni", Confidence: measurements.Likely})
	wantTargetsIn(t, w.onceWith(c), w.families(), map[string][]measurements.LayerVerdict{"alpha/chat": found})
}

func closedRefused(t *testing.T, w *kernelWorld, c kernelConfig) {
	v4, v6 := w.addresses("media.beta.example.net")
	w.Run(kerneltest.Server, "nft", "add table inet censor; add chain inet censor in { type filter hook input priority 0 ; }")
	rule := "ip daddr " + v4.String()
	w.Run(kerneltest.Server, "nft", "add rule inet censor in "+rule+" tcp dport 443 reject with tcp reset")
	if v6.IsValid() {
		w.Run(kerneltest.Server, "nft", "add rule inet censor in ip6 daddr "+v6.String()+" tcp dport 443 reject with tcp reset")
	}
	found := w.both(measurements.LayerVerdict{Layer: measurements.LayerTCP, State: measurements.Inconclusive, Signature: "tcp.refused"})
	wantTargetsIn(t, w.onceWith(c), w.families(), map[string][]measurements.LayerVerdict{"beta/media": found})
}

// both is a finding in each family of the world.
func (w *kernelWorld) both(l measurements.LayerVerdict) (out []measurements.LayerVerdict) {
	for _, f := range w.families() {
		l.Family = f
		out = append(out, l)
	}
	return out
}

func (w *kernelWorld) families() []measurements.Family {
	if w.place.v6 == nil {
		return []measurements.Family{measurements.IPv4}
	}
	return []measurements.Family{measurements.IPv4, measurements.IPv6}
}

// neighbours puts the servers on the link of a program that has no other, and no default route.
func neighbours(t *testing.T, lab *kerneltest.Lab) kernelPlace {
	t.Helper()
	lab.Run(kerneltest.Router, "ip", "link", "delete", "client")
	p := kernelPlace{client: kerneltest.Router, v4: numbered("203.0.113.%d"), v6: numbered("2001:db8:3::%d")}
	p.number(lab, "uplink")
	return p
}

// neighbours4 has no IPv6: where nothing is pinned, nothing tells that it leads anywhere.
func neighbours4(t *testing.T, lab *kerneltest.Lab) kernelPlace {
	t.Helper()
	p := neighbours(t, lab)
	p.v6 = nil
	return p
}

// privateNeighbours are at addresses that the program would take for a forger's, did the config not name them.
func privateNeighbours(t *testing.T, lab *kerneltest.Lab) kernelPlace {
	t.Helper()
	lab.Run(kerneltest.Router, "ip", "link", "delete", "client")
	lab.Run(kerneltest.Router, "ip", "addr", "add", "10.77.0.1/24", "dev", "server")
	p := kernelPlace{client: kerneltest.Router, v4: numbered("10.77.0.%d")}
	p.number(lab, "uplink")
	return p
}

// onLoopback has the program on the server itself, whose addresses are on its lo.
func onLoopback(t *testing.T, lab *kerneltest.Lab) kernelPlace {
	t.Helper()
	lab.Run(kerneltest.Server, "ip", "link", "delete", "uplink")
	return kernelPlace{client: kerneltest.Server, v4: lab.ServerAddr, v6: lab.ServerAddr6}
}

func onLoopback4(t *testing.T, lab *kerneltest.Lab) kernelPlace {
	t.Helper()
	p := onLoopback(t, lab)
	p.v6 = nil
	return p
}

// loopback is what lo has by itself.
func loopback(t *testing.T, lab *kerneltest.Lab) kernelPlace {
	t.Helper()
	p := onLoopback(t, lab)
	p.v4, p.v6 = numbered("127.0.0.%d"), nil
	return p
}

// numbered gives addresses after a pattern, from 10 on.
func numbered(pattern string) func(int) netip.Addr {
	return func(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf(pattern, 10+i)) }
}

// number gives the server the place's addresses.
func (p kernelPlace) number(lab *kerneltest.Lab, link string) {
	for i := range firstSite + len(kernelSites) {
		lab.Run(kerneltest.Server, "ip", "addr", "add", p.v4(i).String()+"/24", "dev", link)
		if p.v6 != nil {
			lab.Run(kerneltest.Server, "ip", "addr", "add", p.v6(i).String()+"/64", "dev", link, "nodad")
		}
	}
}
