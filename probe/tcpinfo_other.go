//go:build !linux

package probe

import (
	"net"

	"github.com/telltale-probe/telltale/measurements"
)

// kernelInfo knows nothing here: only Linux tells it in a form that we read.
func kernelInfo(net.Conn) *measurements.TCPInfo { return nil }
