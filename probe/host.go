package probe

import (
	"context"
	"crypto/x509"
	"net"
	"net/netip"

	"github.com/telltale-probe/telltale/probe/privacy"
)

// Host is the one door to the outside: every socket of telltale is opened through it. The zero
// value is the real network; another internet (netlab) is another Host. It is passed down as a
// value: no globals, nothing hidden in a context.
type Host struct {
	// Dial opens a TCP connection or a connected UDP socket. network is "tcp4", "tcp6", "udp4" or
	// "udp6"; address is always "ip:port", never a name. UDP is connected so that ICMP errors are
	// seen. nil means net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// SystemResolvers gives the resolvers that the machine's own programs use, as configured.
	// nil means the platform's configuration.
	SystemResolvers func() ([]netip.AddrPort, error)

	// StubUpstreams gives the resolvers that a stub among SystemResolvers asks in turn, where it says
	// so; none where there is no stub. nil means the platform's, where SystemResolvers is nil too.
	StubUpstreams func() ([]netip.AddrPort, error)

	// Network says which network the machine is on; asking sends nothing. nil means the platform's,
	// where Dial is nil too: another internet then does not say.
	Network func() Network

	// Own says what tells who and where this machine is; asking sends nothing. nil means the platform's, where
	// Dial is nil too: another internet then knows what Network says.
	Own func() privacy.Own

	// Routable says whether this machine has a route to an address; asking sends nothing.
	// nil means: ask the kernel by connecting an unsent UDP socket to it.
	Routable func(netip.Addr) bool

	// Pinned gives the addresses to which the machine's own hosts file leads a name; none where it has no
	// entry. nil means the platform's file.
	Pinned func(name string) []netip.Addr

	// Roots verifies certificate chains. nil means the dated bundle of Mozilla's roots that is compiled
	// into this program (RootsDate).
	Roots *x509.CertPool

	// Extra are roots that the configuration adds to those. nil means none.
	Extra *x509.CertPool

	// System are the roots that the machine's own programs trust: a second opinion about a chain, never a
	// proof. nil means the platform's where Roots is nil too; another internet then has none.
	System *x509.CertPool

	own      bool      // Roots are a target's own
	verified *verified // by this host in this round; nil: nothing is remembered
}
