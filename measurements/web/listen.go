package web

import (
	"fmt"
	"net"
	"strconv"
)

// Listener is where Serve listens.
type Listener = net.Listener

// Listen opens address, "host:port", or the next free port after it, trying so many. The caller
// closes it, or hands it to Serve. It fails with the last port's error.
func Listen(address string, tries int) (Listener, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("listen %s: the port is no number", address)
	}
	for p := port; ; p++ {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.FormatUint(p, 10)))
		if err == nil || p+1 >= port+uint64(tries) || p == 65535 {
			return l, err
		}
	}
}
