package probe

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
)

// Tape lists, as Plan.Tape does, what requests to a receiver send: to the proxy where there is one, the hello, and what is
// inside it. send makes them through what it is given, and each is answered by 204 and nothing more. Names are asked for
// by the system, which is not taped.
func (o Outlet) Tape(to *url.URL, send func(http.RoundTripper)) []Message {
	tp := &tape{}
	if o.Proxy != nil {
		tp.sent("to the proxy", o, send)
		o.Proxy = nil
	}
	if to.Scheme == "https" {
		tp.sent("ClientHello", o, send)
	}
	var conns []*listener
	t := o.through(func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go take(far)
		conns = append(conns, &listener{Conn: near, heard: make(chan struct{})})
		return conns[len(conns)-1], nil
	})
	t.DialTLSContext = t.DialContext
	send(t)
	for _, c := range conns {
		_ = c.Close()
		tp.out = append(tp.out, Message{What: "request", Bytes: bytes.Join(c.messages(), nil)})
	}
	return tp.out
}

// sent keeps what is sent first to somebody who says nothing.
func (tp *tape) sent(what string, o Outlet, send func(http.RoundTripper)) {
	c := &listener{heard: make(chan struct{})}
	send(o.through(c.host().Dial))
	if sent := c.messages(); len(sent) > 0 {
		tp.keep(what, sent[:1])
	}
}

// take answers one request.
func take(c net.Conn) {
	defer c.Close()
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
}
