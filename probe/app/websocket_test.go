package app

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

// pair is two ends of a TCP connection over loopback, closed when the test ends.
func pair(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if ours, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if theirs, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}

// soon is a context that ends no test too early.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

var chat = UpgradeInput{Host: "web.example", Path: "/ws/chat", Origin: "https://web.example", Protocol: "binary"}

// echo is the WebSocket server of golang.org/x/net, which sends back what it is sent.
func echo(t *testing.T) net.Conn {
	t.Helper()
	server := httptest.NewServer(websocket.Server{
		Handshake: func(c *websocket.Config, r *http.Request) error {
			if got := r.Header.Get("Origin") + r.Host + r.URL.Path; got != "https://web.exampleweb.example/ws/chat" {
				t.Errorf("asked for %q", got)
			}
			c.Protocol = []string{"binary"}
			return nil
		},
		Handler: func(w *websocket.Conn) {
			for {
				var message []byte
				if websocket.Message.Receive(w, &message) != nil || websocket.Message.Send(w, message) != nil {
					return
				}
			}
		},
	})
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Another implementation's server understands our client, in frames of both lengths that we send.
func TestInteropWebSocketClient(t *testing.T) {
	w, err := Upgrade(soon(t), echo(t), chat)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 62, 63, 130} {
		sent := bytes.Repeat([]byte{byte(n), 7}, n)
		if _, err := w.Write(sent); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(w, got); err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("%d bytes: got %x, %v", len(sent), got, err)
		}
	}
}

// Another implementation's client understands our server.
func TestInteropWebSocketServer(t *testing.T) {
	ours, theirs := pair(t)
	go func() {
		w, err := AcceptWebSocket(theirs)
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.Copy(w, w)
	}()
	config, err := websocket.NewConfig("ws://web.example/ws/chat", "https://web.example")
	if err != nil {
		t.Fatal(err)
	}
	config.Protocol = []string{"binary"}
	client, err := websocket.NewClient(config, ours)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 300, 20_000} {
		sent, got := bytes.Repeat([]byte{byte(n)}, n), make([]byte, n)
		if err := websocket.Message.Send(client, sent); err != nil {
			t.Fatal(err)
		}
		client.PayloadType = websocket.BinaryFrame
		if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
}

// answering upgrades against a server that answers with these bytes, whose KEY is the right
// Sec-WebSocket-Accept, and then hangs up.
func answering(t testing.TB, answer string) (*WebSocket, error) {
	t.Helper()
	ours, theirs := pair(t)
	go func() {
		request, err := http.ReadRequest(bufio.NewReader(theirs))
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(theirs, strings.ReplaceAll(answer, "KEY", acceptKey(request.Header.Get("Sec-WebSocket-Key"))))
		_ = theirs.(*net.TCPConn).CloseWrite()
	}()
	return Upgrade(soon(t), ours, chat)
}

const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"

func TestUpgrade(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, answer, want string }{
		{"a good one", switching + "Sec-WebSocket-Accept: KEY\r\nSec-WebSocket-Protocol: binary\r\n\r\n", ""},
		{"a server that ignores the subprotocol", switching + "Sec-WebSocket-Accept: KEY\r\n\r\n", ""},

		{"another status, its body to come", "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 900\r\n\r\n", "no WebSocket: HTTP status 302 instead of 101"},
		{"a refusal", "HTTP/1.1 403 Forbidden\r\n\r\n", "no WebSocket: HTTP status 403 instead of 101"},

		{"a replayed 101", switching + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", "not the app's protocol: a 101 that does not know our key"},
		{"a 101 to something else", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "not the app's protocol: a 101 that does not upgrade to WebSocket"},
		{"an extension", switching + "Sec-WebSocket-Accept: KEY\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "not the app's protocol: a WebSocket extension that we did not offer"},
		{"another subprotocol", switching + "Sec-WebSocket-Accept: KEY\r\nSec-WebSocket-Protocol: text\r\n\r\n", "not the app's protocol: a WebSocket subprotocol that we did not offer"},
		{"a TLS alert", "\x15\x03\x01\x00\x02\x02\x28", "not the app's protocol: no HTTP answer"},
		{"a broken header", "HTTP/1.1 101\r\n: : :\r\n\r\n", "not the app's protocol: no HTTP answer"},
		{"a header without an end", "HTTP/1.1 101 Switching Protocols\r\nX: " + strings.Repeat("x", mostOfHandshake), "no WebSocket: a header longer than we read"},

		{"nothing", "", "EOF"},
		{"half a header", "HTTP/1.1 101 Switch", "unexpected EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, err := answering(t, c.answer)
			if got := said(err); got != c.want || (w == nil) == (err == nil) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if e, ok := errors.AsType[*NotSpoken](err); ok && string(e.FirstBytes) == "" || ok && len(e.FirstBytes) > keptOfAnswer {
				t.Errorf("kept %q", e.FirstBytes)
			}
		})
	}
}

func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Frames as RFC 6455 gives them (section 5.7), with "binary" for "text", and what must not be sent.
func TestWebSocketFrames(t *testing.T) {
	t.Parallel()
	hello := "\x82\x05Hello"
	for _, c := range []struct{ name, frames, data, end string }{
		{"one message", hello, "Hello", "EOF"},
		{"in parts, around a ping", "\x02\x03Hel\x89\x05Hello\x80\x02lo", "Hello", "EOF"},
		{"256 bytes", "\x82\x7E\x01\x00" + strings.Repeat("x", 256), strings.Repeat("x", 256), "EOF"},
		{"an empty message, and a pong", "\x82\x00\x8A\x00" + hello, "Hello", "EOF"},

		{"closed with a status", hello + "\x88\x02\x03\xE8", "Hello", "refused by the app's transport: code 1000"},
		{"closed without", "\x88\x00", "", "refused by the app's transport: code 1005"},

		{"a frame cut short", "\x82\x05Hel", "Hel", "unexpected EOF"},
		{"a length cut short", "\x82\x7E\x01", "", "unexpected EOF"},
		{"a ping cut short", "\x89\x05H", "", "unexpected EOF"},

		{"masked by a server", "\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "", "not the app's protocol: a WebSocket frame that is masked by the wrong side"},
		{"text", "\x81\x05Hello", "", "not the app's protocol: a WebSocket message that is not binary"},
		{"reserved bits", "\xC2\x05Hello", "", "not the app's protocol: a WebSocket frame with reserved bits"},
		{"a part of nothing", "\x80\x02lo", "", "not the app's protocol: a WebSocket frame that is out of order"},
		{"a message in a message", "\x02\x03Hel" + hello, "Hel", "not the app's protocol: a WebSocket frame that is out of order"},
		{"a ping in parts", "\x09\x01H", "", "not the app's protocol: a WebSocket control frame that is long or in parts"},
		{"a long ping", "\x89\x7E\x00\x80", "", "not the app's protocol: a WebSocket control frame that is long or in parts"},
		{"an unknown control frame", "\x8B\x00", "", "not the app's protocol: a WebSocket control frame that nobody knows"},
		{"a length in too many bytes", "\x82\x7E\x00\x05Hello", "", "not the app's protocol: a WebSocket frame whose length is not written in the shortest way"},
		{"a length beyond ours", "\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x01", "", "not the app's protocol: a WebSocket frame of 65537 bytes"},
		{"a length beyond everybody's", "\x82\x7F" + strings.Repeat("\xff", 8), "", "not the app's protocol: a WebSocket frame of 18446744073709551615 bytes"},
		{"more than we read", strings.Repeat("\x82\x7E\x40\x00"+strings.Repeat("x", 1<<14), 5), "", "more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, err := answering(t, switching+"Sec-WebSocket-Accept: KEY\r\n\r\n"+c.frames)
			if err != nil {
				t.Fatal(err)
			}
			data, end := readAll(w)
			if c.end == "more" {
				if e, ok := errors.AsType[*NotSpoken](end); !ok || !strings.HasPrefix(e.Reason, "more than the ") {
					t.Errorf("ended with %v", end)
				}
				return
			}
			if string(data) != c.data || said(end) != c.end {
				t.Errorf("got %q, then %v", data, end)
			}
		})
	}
}

// readAll is io.ReadAll that tells EOF.
func readAll(r io.Reader) (all []byte, err error) {
	for b := make([]byte, 512); ; {
		n, err := r.Read(b)
		all = append(all, b[:n]...)
		if err != nil {
			return all, err
		}
	}
}

// A ping is answered with its own payload, and a close with its status, both masked.
func TestWebSocketAnswers(t *testing.T) {
	ours, theirs := pair(t)
	client := &WebSocket{Conn: ours, in: bufio.NewReader(ours), client: true}
	go theirs.Write([]byte("\x89\x04ping\x88\x03\x03\xE8."))
	if _, err := client.Read(make([]byte, 9)); said(err) != "refused by the app's transport: code 1000" {
		t.Fatal(err)
	}
	for _, want := range []struct {
		opcode  byte
		payload string
	}{{opPong, "ping"}, {opClose, "\x03\xE8"}} {
		f, err := readWSFrame(bufio.NewReaderSize(io.LimitReader(theirs, 6), 16))
		if err != nil || !f.masked || f.opcode != want.opcode {
			t.Fatalf("got %+v, %v", f, err)
		}
		payload := make([]byte, f.length)
		if _, err := io.ReadFull(theirs, payload); err != nil {
			t.Fatal(err)
		}
		if f.unmask(payload, 0); string(payload) != want.payload {
			t.Errorf("got %q, want %q", payload, want.payload)
		}
	}
}

// RFC 6455, section 1.3.
func TestAcceptKey(t *testing.T) {
	if got := acceptKey("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Error(got)
	}
}

// The end of the context ends an upgrade that nobody answers.
func TestUpgradeStalls(t *testing.T) {
	ours, _ := pair(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := Upgrade(ctx, ours, chat)
	if e, ok := errors.AsType[net.Error](err); !ok || !e.Timeout() {
		t.Errorf("got %v", err)
	}
}

// Our server refuses what is no WebSocket request.
func TestAcceptWebSocketRefuses(t *testing.T) {
	for _, request := range []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01 hello\r\n\r\n"} {
		ours, theirs := pair(t)
		_, _ = io.WriteString(ours, request)
		if _, err := AcceptWebSocket(theirs); !isNotSpoken(err) {
			t.Errorf("%q: got %v", request, err)
		}
	}
}

func isNotSpoken(err error) bool {
	_, ok := errors.AsType[*NotSpoken](err)
	return ok
}

// readOnly is a connection whose peer has said everything already.
type readOnly struct {
	net.Conn
	io.Reader
}

func (c readOnly) Read(p []byte) (int, error)  { return c.Reader.Read(p) }
func (c readOnly) Write(p []byte) (int, error) { return len(p), nil }

// FuzzWebSocket reads frames of a hostile server: no more comes out than came in.
func FuzzWebSocket(f *testing.F) {
	for _, seed := range []string{"\x82\x05Hello", "\x02\x03Hel\x89\x05Hello\x80\x02lo\x88\x02\x03\xe8", "\x82\x7e\x01\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		conn := readOnly{Reader: bytes.NewReader(b)}
		w := &WebSocket{Conn: conn, in: bufio.NewReader(conn), client: true}
		if data, _ := readAll(w); len(data) > len(b) {
			t.Errorf("%d bytes of %d", len(data), len(b))
		}
	})
}

// FuzzUpgrade reads the answer of a hostile server to an upgrade: it can't know our key.
func FuzzUpgrade(f *testing.F) {
	f.Add([]byte(switching + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := upgrade(readOnly{Reader: bytes.NewReader(b)}, chat); err == nil {
			t.Error("upgraded")
		}
	})
}

// FuzzWebSocketFrame writes what it reads.
func FuzzWebSocketFrame(f *testing.F) {
	f.Add([]byte("Hello"), true)
	f.Add(bytes.Repeat([]byte("x"), 1<<16), false)
	f.Fuzz(func(t *testing.T, payload []byte, masked bool) {
		r := bufio.NewReader(bytes.NewReader(appendWSFrame(nil, opBinary, payload, masked)))
		h, err := readWSFrame(r)
		if len(payload) > mostOfWebSocket {
			return
		}
		if err != nil || h.masked != masked || h.length != uint64(len(payload)) || !h.final {
			t.Fatalf("got %+v, %v", h, err)
		}
		got, _ := io.ReadAll(r)
		if h.unmask(got, 0); !bytes.Equal(got, payload) {
			t.Errorf("got %x, want %x", got, payload)
		}
	})
}

// Of what stands behind the answer's header no more is read than comes with its end: a page is not wanted, and the
// whole has to stay within the 3 kB of a handshake.
func TestUpgradeReadsNoPage(t *testing.T) {
	t.Parallel()
	ours, theirs := pair(t)
	go func() {
		_, _ = http.ReadRequest(bufio.NewReader(theirs))
		_, _ = io.WriteString(theirs, "HTTP/1.1 403 Forbidden\r\nContent-Length: 65536\r\n\r\n"+strings.Repeat("x", 64<<10))
		_ = theirs.Close()
	}()
	counted := &counting{Conn: ours}
	_, err := Upgrade(soon(t), counted, chat)
	if e, ok := errors.AsType[*NotUpgraded](err); !ok || e.Status != http.StatusForbidden {
		t.Errorf("got %v", err)
	}
	if counted.bytes > 2000 {
		t.Errorf("%d bytes were sent and read", counted.bytes)
	}
}

// counting counts what is sent and read.
type counting struct {
	net.Conn
	bytes int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes += n
	return n, err
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.bytes += n
	return n, err
}
