package probe

import (
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/telltale-probe/telltale/measurements"
)

// The hop limits of the first answer and of one that contradicts it are recorded, over real sockets: by
// them one who answers in the resolver's place can be told from it.
func TestResolveHopLimit(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("the kernel does not tell")
	}
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		server, err := net.ListenPacket("udp", address)
		if err != nil {
			t.Skip("no loopback of this family:", err)
		}
		defer func() { _ = server.Close() }()
		limit := func(n int) error {
			if strings.HasPrefix(address, "[") {
				return ipv6.NewPacketConn(server).SetHopLimit(n)
			}
			return ipv4.NewPacketConn(server).SetTTL(n)
		}
		go func() {
			b := make([]byte, mostUDP)
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			for i, a := range []string{"192.0.2.7", "192.0.2.8"} {
				if err := limit(41 + i); err != nil {
					t.Error(err)
				}
				_, _ = server.WriteTo(packed(reply(b[:n], dns.RcodeSuccess, aRecord(a))), from)
			}
		}()
		o := asked(t, "udp://"+server.LocalAddr().String(), measurements.IPv4, patient)
		if !o.OK() || len(o.DNS.Late) != 1 || o.DNS.HopLimit != 41 || o.DNS.Late[0].HopLimit != 42 {
			t.Errorf("%s: got %+v, %+v", address, o.Failure, o.DNS)
		}
	}
}
