package probe

import (
	"bufio"
	"crypto/rsa"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/telltale-probe/telltale/probe/app"
)

// answers reads a request, says this, and goes on reading.
func answers(what string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		go func() { _, _ = io.WriteString(c, what) }()
		_, _ = io.Copy(io.Discard, c)
	}
}

// upgrading takes a request for a WebSocket, and then says these bytes for ever; none: it listens.
func upgrading(again string) func(net.Conn) {
	return func(c net.Conn) {
		in := bufio.NewReader(c)
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := app.TakeWebSocket(c, in, request); err != nil {
			return
		}
		go func() {
			for err := error(nil); err == nil && again != ""; {
				_, err = io.WriteString(c, strings.Repeat(again, 100))
			}
		}()
		_, _ = io.Copy(io.Discard, in)
	}
}

// serveOne serves HTTP on one connection.
func serveOne(page http.Handler, proto string) func(net.Conn) {
	return func(c net.Conn) {
		protocols := &http.Protocols{}
		protocols.SetHTTP1(proto != "h2")
		protocols.SetHTTP2(proto == "h2")
		over := make(chan struct{})
		s := &http.Server{Handler: page, Protocols: protocols, ReadHeaderTimeout: time.Minute, ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateClosed {
				close(over)
			}
		}}
		l := &once{conn: c, over: over}
		_ = s.Serve(l)
		<-over
	}
}

// once is a listener with one connection.
type once struct {
	conn net.Conn
	over chan struct{}
}

func (l *once) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.over
	return nil, net.ErrClosed
}
func (l *once) Close() error   { return nil }
func (l *once) Addr() net.Addr { return net.TCPAddrFromAddrPort(netip.AddrPort{}) }

// endless is a data centre that answers the first question, and the second without end.
func endless(key *rsa.PrivateKey) func(net.Conn) {
	return func(c net.Conn) {
		s := app.MTProtoServer{Key: key, Lie: app.LieStall}
		_ = s.Serve(&talkative{Conn: c})
	}
}

// talkative answers what comes after its own first answer, and does not stop. What came earlier would be another failure.
type talkative struct {
	net.Conn
	answered, talks bool
}

func (c *talkative) Write(b []byte) (int, error) {
	c.answered = true
	return c.Conn.Write(b)
}

func (c *talkative) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.answered && n > 0 && !c.talks {
		c.talks = true
		go func() { _, _ = io.WriteString(c.Conn, long) }()
	}
	return n, err
}
