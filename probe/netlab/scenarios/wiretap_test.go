package scenarios_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/probe"
)

// message is what went over a wire, or is listed: its form without what is fresh each time, and the name in it.
type message struct{ form, name string }

// wiretap hears all that a plan sends.
type wiretap struct {
	loses func(*dns.Msg) bool // questions over UDP that get lost; nil: none

	mu       sync.Mutex
	flows    []*tapped
	requests []message
}

// tapped is a connection whose writes are kept.
type tapped struct {
	net.Conn
	loses  func(*dns.Msg) bool
	mu     sync.Mutex
	writes [][]byte
}

func (c *tapped) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.writes = append(c.writes, bytes.Clone(b))
	c.mu.Unlock()
	var q dns.Msg
	if c.loses != nil && c.RemoteAddr().Network() == "udp" && q.Unpack(b) == nil && c.loses(&q) {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// hops are what the emulated kernel does for datagrams.
type hops interface {
	SetHopLimit(int) error
	ErrorSender() (netip.Addr, bool)
}

// on puts the tap on a plan's host.
func (w *wiretap) on(p *probe.Plan) {
	dial := p.Host.Dial
	p.Host.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := &tapped{Conn: conn, loses: w.loses}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.flows = append(w.flows, c)
		if h, ok := conn.(hops); ok {
			return struct {
				*tapped
				hops
			}{c, h}, nil
		}
		return c, nil
	}
}

func (w *wiretap) hear(r *http.Request) {
	forms := requestForms(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, forms...)
}

func (w *wiretap) hearInside(piece []byte, nth int) {
	m := inside(plainForm(piece, nth))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, m)
}

// inside is what is said in a WebSocket.
func inside(m message) message {
	m.form = "in a WebSocket: " + m.form
	return m
}

// requestForms are a request's and, of a question over HTTPS, that of the question, which can be read once more.
func requestForms(r *http.Request) []message {
	if r.Header.Get("Content-Type") != "application/dns-message" {
		return []message{requestForm(r)}
	}
	question, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(question))
	inside := plainForm(question, 0)
	inside.form = strings.Replace(inside.form, "dns over UDP", "dns over HTTPS", 1)
	return []message{requestForm(r), inside}
}

// messages are the forms of all that was sent.
func (w *wiretap) messages() map[message]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[message]bool{}
	for _, m := range w.requests {
		out[m] = true
	}
	for _, c := range w.flows {
		c.mu.Lock()
		if m, ok := helloForm(c.writes); ok {
			out[m] = true // what follows is enciphered, and heard at the other end
		} else {
			for i, b := range c.writes {
				if r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b))); err == nil && r.Method != http.MethodPost {
					out[requestForm(r)] = true
					continue
				}
				out[plainForm(b, i)] = true
			}
		}
		c.mu.Unlock()
	}
	return out
}
