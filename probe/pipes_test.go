package probe

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// acrossPipe is how long a message of a peer in memory is on its way. A step that takes no time is none.
const acrossPipe = 10 * time.Millisecond

// inBubble plays a test where time is virtual: what is to come in time comes in time, however busy the machine is. Peers
// are in memory there.
func inBubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// onPipes is an internet in which every connection leads to this peer.
func onPipes(speak func(net.Conn)) Host {
	return Host{Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			speak(far)
		}()
		return near, nil
	}}
}

// datagrams is a peer that answers each message with what handle returns, if anything. A datagram that is larger than
// what a reader has room for is cut.
func datagrams(handle func([]byte) [][]byte) func(net.Conn) {
	return func(far net.Conn) {
		for {
			b := make([]byte, 1<<16)
			n, err := far.Read(b)
			if err != nil {
				return
			}
			answers := handle(b[:n])
			go func() {
				time.Sleep(acrossPipe)
				for _, a := range answers {
					if _, err := far.Write(a[:min(len(a), mostUDP)]); err != nil {
						return // nobody listens any more
					}
				}
			}()
		}
	}
}

// askedOnPipes resolves the site at a resolver in memory.
func askedOnPipes(t *testing.T, handle func([]byte) [][]byte, family measurements.Family, patience time.Duration) measurements.Observation {
	t.Helper()
	return onPipes(datagrams(handle)).Resolve(within(t, patience), Resolver{URL: "udp://" + pipedResolver}, site, family)
}

// pipedResolver is where it is: at home.
const pipedResolver = "192.168.1.1:53"
