package probe

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"
)

// listener keeps what is written to it. It has nothing to say of its own.
type listener struct {
	net.Conn
	mu   sync.Mutex
	sent [][]byte

	// A read waits for heard, then ends. Without the wait net/http may see the end of the connection before it
	// has written what it wants to say.
	heard   chan struct{} // closed by the first write, at a deadline and by Close
	patient bool          // the first write does not: QUIC reads on
	once    sync.Once
}

// host is an internet in which every connection leads to the listener.
func (l *listener) host() Host {
	return Host{Dial: func(context.Context, string, string) (net.Conn, error) { return l, nil }}
}

// messages are what was written so far.
func (l *listener) messages() [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sent)
}

func (l *listener) Write(b []byte) (int, error) {
	l.mu.Lock()
	l.sent = append(l.sent, append([]byte(nil), b...))
	l.mu.Unlock()
	if l.Conn != nil {
		return l.Conn.Write(b)
	}
	if !l.patient {
		l.wake()
	}
	return len(b), nil
}

func (l *listener) Read(b []byte) (int, error) {
	if l.Conn != nil {
		return l.Conn.Read(b)
	}
	<-l.heard
	if l.patient {
		return 0, os.ErrDeadlineExceeded
	}
	return 0, io.EOF
}

func (l *listener) Close() error {
	l.wake()
	if l.Conn != nil {
		return l.Conn.Close()
	}
	return nil
}

// wake ends a read that waits, once for all.
func (l *listener) wake() {
	l.once.Do(func() { close(l.heard) })
}

func (l *listener) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(taped) }
func (l *listener) LocalAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(taped.Addr(), 40000))
}

func (l *listener) SetDeadline(t time.Time) error { return l.set(net.Conn.SetDeadline, t) }
func (l *listener) SetReadDeadline(t time.Time) error {
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), l.wake) // quic-go's way to end a read is a deadline that has passed
	}
	return l.set(net.Conn.SetReadDeadline, t)
}
func (l *listener) SetWriteDeadline(t time.Time) error { return l.set(net.Conn.SetWriteDeadline, t) }

func (l *listener) set(f func(net.Conn, time.Time) error, t time.Time) error {
	if l.Conn != nil {
		return f(l.Conn, t)
	}
	return nil
}
