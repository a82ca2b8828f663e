package scenarios_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/hello"
)

// message is what went over a wire, or is listed: its form without what is fresh each time, and the name in it.
type message struct{ form, name string }

// wiretap hears all that a plan sends.
type wiretap struct {
	mu       sync.Mutex
	flows    []*tapped
	requests []message
}

// tapped is a connection whose writes are kept.
type tapped struct {
	net.Conn
	mu     sync.Mutex
	writes [][]byte
}

func (c *tapped) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.writes = append(c.writes, bytes.Clone(b))
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// on puts the tap on a host.
func (w *wiretap) on(h probe.Host) probe.Host {
	dial := h.Dial
	h.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := &tapped{Conn: conn}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.flows = append(w.flows, c)
		return c, nil
	}
	return h
}

func (w *wiretap) hear(r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, requestForm(r))
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
				out[plainForm(b, i)] = true
			}
		}
		c.mu.Unlock()
	}
	return out
}

// helloForm reads a hello in TLS records, or in QUIC Initials.
func helloForm(writes [][]byte) (m message, ok bool) {
	if len(writes) == 0 || len(writes[0]) == 0 {
		return m, false
	}
	kind, quic, raw := "tls", false, writes[0]
	msg, whole, err := hello.FromRecords(raw)
	if err != nil || !whole {
		if kind, quic = "quic", true; len(raw) < 1200 {
			return m, false
		}
		if msg, err = hello.FromDatagrams(writes); err != nil {
			return m, false
		}
	}
	h, err := hello.Parse(msg)
	if err != nil {
		return m, false
	}
	ja4, _ := hello.JA4(msg, quic)
	return message{fmt.Sprintf("%s hello %s %v", kind, ja4, h.ALPN), h.ServerName}, true
}

// plainForm reads what is sent in clear: the nth message of its connection.
func plainForm(b []byte, nth int) message {
	switch {
	case len(b) >= 1200 && b[0]&0xc0 == 0xc0 && binary.BigEndian.Uint32(b[1:])&0x0f0f0f0f == 0x0a0a0a0a:
		return message{fmt.Sprintf("version ping of %d bytes", len(b)), ""}
	case bytes.HasPrefix(b, []byte("POST /api ")):
		return message{"mtproto over HTTP", ""}
	case bytes.HasPrefix(b, []byte("GET ")):
		return message{"request in clear", ""} // heard at the other end
	case bytes.HasPrefix(b, []byte("WA")):
		return message{fmt.Sprintf("noise hello of %d bytes", len(b)), ""}
	case len(b) >= 20 && bytes.Equal(b[:2], []byte{0, 1}) && bytes.Equal(b[4:8], []byte{0x21, 0x12, 0xa4, 0x42}):
		return message{fmt.Sprintf("stun % x", append(b[:8:8], b[20:]...)), ""}
	}
	for over, packed := range map[string][]byte{"UDP": b, "TCP": b[min(len(b), 2):]} {
		var q dns.Msg
		if err := q.Unpack(packed); err == nil && len(q.Question) == 1 {
			name := strings.TrimSuffix(q.Question[0].Name, ".")
			q.Id, q.Question[0].Name = 0, "."
			form, _ := q.Pack()
			return message{fmt.Sprintf("dns over %s % x", over, form), name}
		}
	}
	if nth > 0 {
		return message{"mtproto, a second message", ""}
	}
	for tag, form := range map[string]string{"ef": "abridged", "eeeeeeee": "intermediate", "dddddddd": "padded intermediate"} {
		if strings.HasPrefix(fmt.Sprintf("%x", b), tag) {
			return message{"mtproto, " + form, ""}
		}
	}
	return message{"mtproto, obfuscated", ""}
}

// requestForm is a request without its name, and without what says where its body ends and how the connection does.
func requestForm(r *http.Request) message {
	header := maps.Clone(r.Header)
	for _, hop := range []string{"Content-Length", "Connection"} {
		delete(header, hop)
	}
	if header.Get("Sec-Websocket-Key") != "" {
		header["Sec-Websocket-Key"] = []string{"fresh"}
	}
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(header)) {
		fields = append(fields, name+": "+strings.Join(header[name], ","))
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return message{fmt.Sprintf("%s %s {%s}", r.Method, r.URL.RequestURI(), strings.Join(fields, "; ")), host}
}

// listed are the forms of a list.
func listed(list []probe.Message) map[message]bool {
	out := map[message]bool{}
	for i := 0; i < len(list); i++ {
		m, datagrams := list[i], [][]byte{list[i].Bytes}
		for ; i+1 < len(list) && strings.HasPrefix(m.What, "QUIC Initial") && list[i+1].What == m.What; i++ {
			datagrams = append(datagrams, list[i+1].Bytes)
		}
		if h, ok := helloForm(datagrams); ok {
			out[h] = true
			continue
		}
		nth := 0
		if strings.Contains(m.What, "req_DH_params") {
			nth = 1
		}
		form := plainForm(m.Bytes, nth)
		if r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(m.Bytes))); err == nil && form.form != "mtproto over HTTP" {
			if out[requestForm(r)] = true; !strings.Contains(m.What, "in clear") {
				continue
			}
		}
		out[form] = true
	}
	return out
}
