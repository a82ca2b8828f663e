package app

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1" // RFC 6455 asks for it, and nothing secret hangs on it
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/telltale-probe/telltale/probe/deadline"
)

// Bounds of what a client can make a server of ours carry, and of a frame. Chosen by us: an app's first exchange is a
// kilobyte or two.
const (
	mostOfRequest   = 16 << 10
	mostOfWebSocket = 64 << 10 // everything, the request included
)

// UpgradeInput says which WebSocket to ask for. Its fields go into HTTP lines as they are: they come
// from the catalogue, never from a peer.
type UpgradeInput struct {
	Host, Path string
	Origin     string // empty: left out
	Protocol   string // the subprotocol; empty: none is offered
	UserAgent  string // empty: left out
	Answered   func() // if set, is called once the answer's status is known
}

// WebSocket is a WebSocket (RFC 6455) as a stream: Read gives the bytes of binary messages as they
// come, since the apps frame by themselves, and each Write is one message. Deadlines and addresses are
// those of the connection under it. Neither half may be used by two goroutines, and both must not be
// used at the same time: reading answers pings.
//
// Read fails with *NotSpoken for what no WebSocket server sends, and for more than an app's first exchange takes,
// both ways and answers to pings included; with *Refused and the status code of section 7.4 when the peer closes by a
// close frame.
type WebSocket struct {
	net.Conn // a tap
	in       *bufio.Reader
	client   bool
	frame    wsFrame // the one that is being read
	left     uint64  // of its payload
	inside   bool    // a message that is not over yet
}

// NetConn is the connection under the WebSocket.
func (w *WebSocket) NetConn() net.Conn {
	if t, ok := w.Conn.(*tap); ok {
		return t.Conn
	}
	return w.Conn
}

// Upgrade asks for a WebSocket on a connection, in HTTP/1.1. It fails with *NotUpgraded when the
// answer is another one than 101, of which nothing behind the status line is waited for, or a 101 with a header that
// would make more than 3 kB of the exchange; and with *NotSpoken when it is no HTTP, or a 101 that does not know
// our key. The caller closes conn; it has no deadline afterwards. RFC 6455, section 4.1.
func Upgrade(ctx context.Context, conn net.Conn, in UpgradeInput) (*WebSocket, error) {
	defer deadline.Obey(ctx, conn)()
	return upgrade(conn, in)
}

// upgrade is Upgrade for callers that obey a context already.
func upgrade(conn net.Conn, in UpgradeInput) (*WebSocket, error) {
	t := measured(conn)
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	key := base64.StdEncoding.EncodeToString(nonce[:])
	if _, err := t.Write(in.request(key)); err != nil {
		return nil, err
	}
	w := &WebSocket{Conn: t, in: bufio.NewReaderSize(t, readAhead), client: true}
	status, err := peekStatus(w.in)
	if err != nil {
		return nil, t.because("no HTTP answer", "HTTP/")
	}
	if in.Answered != nil {
		in.Answered()
	}
	if status != http.StatusSwitchingProtocols {
		return nil, &NotUpgraded{Status: status}
	}
	answer, err := http.ReadResponse(w.in, &http.Request{Method: http.MethodGet}) //nolint:bodyclose // a 101 has none
	switch {
	case err != nil && t.enough():
		return nil, &NotUpgraded{Status: status} // an answer, and we do not read on
	case err != nil:
		return nil, t.because("no HTTP answer", "HTTP/")
	}
	if reason := unfit(answer.Header, key, in.Protocol); reason != "" {
		return nil, t.notSpoken(reason)
	}
	t.left = mostOfHandshake // of what is spoken inside: that is a handshake of its own
	return w, nil
}

// peekStatus gives the status of an HTTP answer and takes nothing from the reader. Where the line is longer than what is
// read ahead, its beginning says it.
func peekStatus(in *bufio.Reader) (int, error) {
	for {
		_, err := in.Peek(min(in.Buffered()+1, in.Size()))
		came, _ := in.Peek(in.Buffered())
		line, _, whole := bytes.Cut(came, []byte("\n"))
		if whole || len(came) == in.Size() {
			said := append(bytes.TrimRight(bytes.Clone(line), "\r"), "\r\n\r\n"...)
			answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(said)), nil) //nolint:bodyclose // there is none
			if err != nil {
				return 0, err
			}
			return answer.StatusCode, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// because gives the error of reading where there was one and what came could still have become what we
// waited for; else, what came is not the app's.
func (t *tap) because(reason, prefix string) error {
	switch {
	case !t.begins(prefix) || t.err == nil:
		return t.notSpoken(reason)
	case errors.Is(t.err, io.EOF) && t.received > 0:
		return io.ErrUnexpectedEOF
	}
	return t.err
}

// request is the client's half of the opening handshake.
func (in UpgradeInput) request(key string) []byte {
	var b bytes.Buffer
	line := func(name, value string) {
		if value != "" {
			b.WriteString(name + ": " + value + "\r\n")
		}
	}
	b.WriteString("GET " + in.Path + " HTTP/1.1\r\n")
	line("Host", in.Host)
	line("User-Agent", in.UserAgent)
	line("Sec-WebSocket-Version", "13")
	line("Origin", in.Origin)
	line("Sec-WebSocket-Protocol", in.Protocol)
	line("Sec-WebSocket-Key", key)
	line("Connection", "Upgrade")
	line("Upgrade", "websocket")
	b.WriteString("\r\n")
	return b.Bytes()
}

// unfit says why a 101 does not open the WebSocket that we asked for; empty when it does (section 4.1,
// the client's requirements 2 to 6).
func unfit(h http.Header, key, protocol string) string {
	switch {
	case !strings.EqualFold(h.Get("Upgrade"), "websocket"), !hasToken(h.Get("Connection"), "upgrade"):
		return "a 101 that does not upgrade to WebSocket"
	case h.Get("Sec-WebSocket-Accept") != acceptKey(key):
		return "a 101 that does not know our key"
	case h.Get("Sec-WebSocket-Extensions") != "":
		return "a WebSocket extension that we did not offer"
	case h.Get("Sec-WebSocket-Protocol") != "" && h.Get("Sec-WebSocket-Protocol") != protocol:
		return "a WebSocket subprotocol that we did not offer"
	}
	return ""
}

// hasToken says whether a list of tokens has this one.
func hasToken(list, token string) bool {
	for each := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(each), token) {
			return true
		}
	}
	return false
}

// acceptKey answers a key (section 1.3).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// AcceptWebSocket is the server's half of Upgrade, for the emulated internet: it takes the first
// subprotocol that is offered. The caller closes conn. Section 4.2.
func AcceptWebSocket(conn net.Conn) (*WebSocket, error) {
	t := tapped(conn, mostOfRequest)
	in := bufio.NewReader(t)
	request, err := http.ReadRequest(in)
	if err != nil {
		return nil, t.because("no HTTP request", "GET ")
	}
	return take(t, in, request)
}

// TakeWebSocket is the same for a request that was read already; in is what the rest is read from.
func TakeWebSocket(conn net.Conn, in *bufio.Reader, request *http.Request) (*WebSocket, error) {
	return take(tapped(conn, mostOfRequest), in, request)
}

func take(t *tap, in *bufio.Reader, request *http.Request) (*WebSocket, error) {
	key := request.Header.Get("Sec-WebSocket-Key")
	if key == "" || request.Header.Get("Sec-WebSocket-Version") != "13" ||
		!strings.EqualFold(request.Header.Get("Upgrade"), "websocket") || !hasToken(request.Header.Get("Connection"), "upgrade") {
		_, _ = io.WriteString(t, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
		return nil, t.notSpoken("a request that asks for no WebSocket")
	}
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + acceptKey(key) + "\r\n"
	if first, _, _ := strings.Cut(request.Header.Get("Sec-WebSocket-Protocol"), ","); first != "" {
		answer += "Sec-WebSocket-Protocol: " + strings.TrimSpace(first) + "\r\n"
	}
	if _, err := io.WriteString(t, answer+"\r\n"); err != nil {
		return nil, err
	}
	t.left = mostOfWebSocket - t.received
	return &WebSocket{Conn: t, in: in}, nil
}
