package netlab

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"time"
)

// interceptedBody is what an interception serves when its rule has no page.
const interceptedBody = "<html><title>intercepted</title></html>"

var interceptedPage = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
	len(interceptedBody), interceptedBody)

// intercept puts a box in the server's place: it completes the handshake under a root of its own,
// for whatever name was asked for, and serves a page; or, as "imposter", it speaks the app's protocol. The server is never asked: what it has heard of
// the connection ends with a reset. The caller holds the flow's lock.
func (f *flow) intercept(r *Rule) {
	near := f.link
	near.Latency, near.far = f.upTo(r), nil
	g := f.n.newFlow("tcp", f.to, near)
	g.read, g.born = true, f.born
	box := &conn{n: f.n, network: "tcp", local: f.client.remote, remote: f.client.local, flow: g, in: newHalf(), out: f.client.in, linger: -1}
	g.client, g.server = f.client, box
	box.in.put(f.prefix, time.Now().Add(near.Latency))
	f.dead = true // or the server's own end would reach the client
	if f.server != nil {
		f.server.in.finish(syscall.ECONNRESET, time.Now().Add(f.link.Latency))
		f.server.mu.Lock()
		f.server.out = newHalf() // the way to the client is the box's now, with its deadlines
		f.server.mu.Unlock()
	}
	f.client.mu.Lock()
	f.client.out.mu.Lock()
	box.in.writeBy = f.client.out.writeBy
	f.client.out.mu.Unlock()
	f.client.flow, f.client.out = g, box.in
	f.client.mu.Unlock()
	if !f.n.track(box) {
		return
	}
	if r.Action == Imposter {
		go impersonateApp(box, r, slices.Clone(f.prefix))
		return
	}
	page := r.Page
	if page == "" {
		page = interceptedPage
	}
	go f.n.impersonate(box, page, r.Expired)
}

// impersonate serves one request, and ends with its connection.
func (n *Network) impersonate(c *conn, page string, expired bool) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Minute)) // no client takes longer
	s := tls.Server(c, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) { return n.disguise(c.flow, h, expired) }})
	request, err := http.ReadRequest(bufio.NewReader(s))
	if err != nil {
		return
	}
	if n.heard != nil {
		n.heard(request)
	}
	_, _ = s.Write([]byte(page))
	_ = s.Close()
}

// disguise is the configuration for one hello: a leaf for its name, or for the address where it has
// none, and a protocol that it offers, so that the handshake ends with nothing amiss but the chain.
func (n *Network) disguise(f *flow, h *tls.ClientHelloInfo, expired bool) (*tls.Config, error) {
	forger, err := n.forgery()
	if err != nil {
		return nil, err
	}
	l := leaf{name: h.ServerName, expired: expired}
	if l.name == "" {
		l.name, l.address = f.to.Addr().String(), f.to.Addr()
	}
	chain, err := forger.certificate(l)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{*chain}}
	switch {
	case slices.Contains(h.SupportedProtos, "http/1.1"):
		config.NextProtos = []string{"http/1.1"}
	case len(h.SupportedProtos) > 0:
		config.NextProtos = h.SupportedProtos[:1]
	}
	return config, nil
}

// InterceptCA is the root under which "intercept" forges: no client trusts it, unless a scenario puts
// it in the volunteer's store, as a virus scanner does.
func (n *Network) InterceptCA() (*x509.Certificate, error) {
	forger, err := n.forgery()
	if err != nil {
		return nil, err
	}
	return forger.root, nil
}

// forgery is the box's own authority, made when it is first needed.
func (n *Network) forgery() (*certifier, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.forger == nil {
		c, err := newCertifier("Emulated Interceptor", time.Now().Add(n.clock))
		if err != nil {
			return nil, err
		}
		c.box = true
		n.forger = c
	}
	return n.forger, nil
}
