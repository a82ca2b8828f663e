package netlab

import (
	"bufio"
	"crypto/tls"
	"net/http"
	"syscall"
	"time"
)

// defaultPage is what an interception serves when its rule has no page.
const defaultPage = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 38\r\nConnection: close\r\n\r\n<html><title>intercepted</title></html>"

// intercept puts a box in the server's place: it completes the handshake under a root of its own,
// for whatever name was asked for, and serves a page. The server is never asked. The caller holds
// the flow's lock.
func (f *flow) intercept(r *Rule) {
	near := f.link
	near.Latency = f.upTo(r)
	g := f.n.newFlow("tcp", f.to, near)
	g.read = true
	box := &conn{n: f.n, network: "tcp", local: f.client.remote, remote: f.client.local, flow: g, in: newHalf(), linger: -1}
	g.client, g.server = f.client, box
	box.in.put(f.prefix, time.Now().Add(near.Latency))
	if f.server != nil {
		f.server.in.finish(syscall.ECONNRESET, time.Now().Add(f.link.Latency))
	}
	f.client.mu.Lock()
	box.out = f.client.in
	f.client.flow, f.client.out = g, box.in
	f.client.mu.Unlock()
	f.n.track(box)
	page := r.Page
	if page == "" {
		page = defaultPage
	}
	go f.n.impersonate(box, page)
}

// impersonate serves one request, and ends with its connection.
func (n *Network) impersonate(c *conn, page string) {
	defer func() { _ = c.Close() }()
	config := &tls.Config{
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			forger, err := n.forgery()
			if err != nil {
				return nil, err
			}
			return forger.certificate(leaf{name: h.ServerName})
		},
	}
	_ = c.SetDeadline(time.Now().Add(time.Minute)) // no client takes longer
	s := tls.Server(c, config)
	if _, err := http.ReadRequest(bufio.NewReader(s)); err != nil {
		return
	}
	_, _ = s.Write([]byte(page))
	_ = s.Close()
}

// forgery is the box's own authority, made when it is first needed.
func (n *Network) forgery() (*certifier, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.forger == nil {
		c, err := newCertifier("Emulated Interceptor")
		if err != nil {
			return nil, err
		}
		n.forger = c
	}
	return n.forger, nil
}
