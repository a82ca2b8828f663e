package scenarios_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/hello"
)

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
	return message{fmt.Sprintf("%s hello %s %v %s", kind, ja4, h.ALPN, settled(msg)), h.ServerName}, true
}

// settled is what is the same in every hello of a shape (RFC 8446, section 4.1.2): all but the random, the session's id, the
// name, the keys, of which the length stays, and QUIC's parameters, which quic-go shuffles.
func settled(msg []byte) string {
	const fixed, serverName, keyShare, quicParameters = 4 + 2 + 32, 0, 51, 57
	at := fixed + 1 + int(msg[fixed])                // the session's id
	at += 2 + int(binary.BigEndian.Uint16(msg[at:])) // ciphers
	at += 1 + int(msg[at])                           // compression
	out := fmt.Sprintf("%x", msg[fixed+1+int(msg[fixed]):at])
	for rest := msg[at+2:]; len(rest) >= 4; {
		kind, length := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		switch body := rest[4 : 4+length]; kind {
		case serverName, quicParameters:
			out += fmt.Sprintf(" %d", kind)
		case keyShare:
			out += fmt.Sprintf(" %d of %d", kind, length)
		default:
			out += fmt.Sprintf(" %d=%x", kind, body)
		}
		rest = rest[4+length:]
	}
	return out
}

// plainForm reads what is sent in clear: the nth message of its connection.
func plainForm(b []byte, nth int) message {
	switch {
	case len(b) >= 1200 && b[0]&0xc0 == 0xc0 && binary.BigEndian.Uint32(b[1:])&0x0f0f0f0f == 0x0a0a0a0a:
		return message{fmt.Sprintf("version ping of %d bytes", len(b)), ""}
	case bytes.HasPrefix(b, []byte("POST /api ")):
		return message{"mtproto over HTTP", ""}
	case bytes.HasPrefix(b, []byte("WA\x06\x03")): // a query may begin with the first two
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
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		host = "an address"
	}
	return message{fmt.Sprintf("%s %s {%s}", r.Method, r.URL.RequestURI(), strings.Join(fields, "; ")), host}
}

// listed are the forms of a list.
func listed(sections []probe.Section) *list {
	out := &list{map[message]bool{}, map[string]bool{}, map[string]bool{}}
	for _, s := range sections {
		for m := range formsOf(s.Messages) {
			out.all[m], out.forms[m.form], out.names[m.name] = true, true, true
		}
	}
	return out
}

func formsOf(list []probe.Message) map[message]bool {
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
		if r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(m.Bytes))); err == nil && !bytes.HasPrefix(m.Bytes, []byte("POST /api ")) {
			for _, form := range requestForms(r) {
				out[form] = true
			}
			continue
		}
		form := plainForm(m.Bytes, nth)
		if strings.Contains(m.What, "in the WebSocket") {
			form = inside(form)
		}
		out[form] = true
	}
	return out
}
