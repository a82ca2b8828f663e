package probe

import (
	"math"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/telltale-probe/telltale/measurements"
)

// kernelInfo asks the kernel for its view of a TCP connection (TCP_INFO, tcp(7)); nil where the
// connection is no socket, no TCP, or closed.
func kernelInfo(conn net.Conn) *measurements.TCPInfo {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return rawInfo(raw)
}

func rawInfo(raw syscall.RawConn) *measurements.TCPInfo {
	var info *unix.TCPInfo
	err := raw.Control(func(fd uintptr) {
		info, _ = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	if err != nil || info == nil {
		return nil
	}
	least := info.Min_rtt
	if least == math.MaxUint32 { // the kernel has no sample yet (include/net/tcp.h, minmax_reset)
		least = 0
	}
	return &measurements.TCPInfo{
		RTT:           measurements.Seconds(time.Duration(info.Rtt) * time.Microsecond),
		MinRTT:        measurements.Seconds(time.Duration(least) * time.Microsecond),
		Retransmits:   info.Total_retrans,
		BytesAcked:    info.Bytes_acked,
		BytesReceived: info.Bytes_received,
	}
}
