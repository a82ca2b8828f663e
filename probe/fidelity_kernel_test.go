package probe_test

import (
	"cmp"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/kerneltest"
)

// building is how many labs are made at once: they are made of processes and of the kernel's one lock for
// network settings.
const building = 4

// The same rows over real sockets: the kernel's TCP and ICMP, and a router whose firewall does what
// netlab's boxes do. Both worlds are held against the row's one expectation.
func TestKernelFidelity(t *testing.T) {
	t.Parallel()
	yard := make(chan struct{}, building)
	var wg sync.WaitGroup
	for _, r := range rows {
		// Rows mostly wait. t.Parallel lets no more of them wait together than there are processors, so they
		// get goroutines of their own.
		wg.Go(func() {
			t.Run(r.name, func(t *testing.T) { playInKernel(t, &r, yard) })
		})
	}
	wg.Wait()
}

// playInKernel plays a row in a lab of its own, over both families at the same time.
func playInKernel(t *testing.T, r *row, yard chan struct{}) {
	worlds := buildKernel(t, r, yard)
	var wg sync.WaitGroup
	for _, w := range worlds {
		wg.Go(func() {
			got, says := w.play(r)
			if want := r.expected(w.address.Is6()); got != want {
				t.Errorf("over %s: %s %q (%s), want %s %q", measurements.FamilyOf(w.address), got.at, got.failure, says, want.at, want.failure)
			}
		})
	}
	wg.Wait()
}

// buildKernel makes the lab, with servers and boxes for each family.
func buildKernel(t *testing.T, r *row, yard chan struct{}) []*world {
	yard <- struct{}{}
	defer func() { <-yard }()
	lab := kerneltest.New(t)
	return []*world{
		familyInKernel(t, r, lab, lab.ServerAddr, lab.IPTables, r.box.tables),
		familyInKernel(t, r, lab, lab.ServerAddr6, lab.IP6Tables, cmp.Or(r.box.tables6, r.box.tables)),
	}
}

// familyInKernel is what stands in the lab for one family, with the router's tables for it.
func familyInKernel(t *testing.T, r *row, lab *kerneltest.Lab, address func(int) netip.Addr, router func(...string), tables string) *world {
	w := newWorld(t, address(0))
	w.host.Dial = lab.Dial
	digit := "4"
	if w.address.Is6() {
		digit = "6"
	}
	w.listen = func(at netip.AddrPort) net.Listener {
		return lab.Listen(kerneltest.Server, "tcp"+digit, at.String())
	}
	w.packets = func(at netip.AddrPort) net.PacketConn {
		return lab.ListenPacket(kerneltest.Server, "udp"+digit, at.String())
	}
	w.serve(w.address, &r.server)
	words := strings.Fields(tables)
	switch proxy := r.box.proxy; {
	case proxy != nil:
		w.serve(address(1), proxy)
		router(append([]string{"-t", "nat", "-A", "PREROUTING", "-j", "DNAT", "--to-destination", address(1).String()}, words...)...)
	case tables != "":
		router(append([]string{"-A", "FORWARD"}, words...)...)
	}
	return w
}
