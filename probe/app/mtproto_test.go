package app_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/telltale-probe/telltale/probe/app"
)

var keys = sync.OnceValue(func() (out [2]*rsa.PrivateKey) {
	for i := range out {
		out[i] = newKey(&testing.B{})
	}
	return out
})

// dc runs one exchange with one of our own servers; time is the test's.
func dc(t *testing.T, s app.MTProtoServer, in app.MTProtoInput) (app.MTProtoAnswer, error) {
	t.Helper()
	near, far := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- s.Serve(far); _ = far.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got, err := app.MTProto(ctx, near, in)
	_ = near.Close()
	<-done
	return got, err
}

// A server that lies in any way is not believed, and one that does not is, in every transport.
func TestMTProtoLies(t *testing.T) {
	telegram, other := keys()[0], keys()[1]
	imposter := func(err error) bool { return isImposter(err) }
	for _, test := range []struct {
		name   string
		server app.MTProtoServer
		proof  bool // is asked for
		wrong  func(error) bool
	}{
		{"honest", app.MTProtoServer{Key: telegram}, true, nil},
		{"another nonce", app.MTProtoServer{Key: telegram, Lie: app.LieNonce}, false, imposter},
		{"another key", app.MTProtoServer{Key: other, Lie: app.LieKey}, false, imposter},
		{"a borrowed name", app.MTProtoServer{Key: other, Named: &telegram.PublicKey, Lie: app.LieIdentity}, true, imposter},
		{"a borrowed name, not asked", app.MTProtoServer{Key: other, Named: &telegram.PublicKey, Lie: app.LieIdentity}, false, nil},
		{"silent half way", app.MTProtoServer{Key: telegram, Lie: app.LieStall}, true, func(err error) bool { var n net.Error; return errors.As(err, &n) && n.Timeout() }},
		{"refuses", app.MTProtoServer{Key: telegram, Lie: app.LieRefusal}, false, func(err error) bool {
			r, ok := errors.AsType[*app.Refused](err)
			return ok && r.Code == -404
		}},
		{"another protocol", app.MTProtoServer{Key: telegram, Lie: app.LieOther}, false, func(err error) bool {
			n, ok := errors.AsType[*app.NotSpoken](err)
			return ok && string(n.FirstBytes) == "SSH-2.0-box\r\n" // also where the first of them announce a long packet
		}},
	} {
		for _, transport := range app.Transports {
			t.Run(test.name+"/"+string(transport), func(t *testing.T) {
				if test.server.Lie == app.LieOther && transport == app.Obfuscated {
					t.Skip("what is deciphered of another protocol is chance")
				}
				synctest.Test(t, func(t *testing.T) {
					in := app.MTProtoInput{Transport: transport, Keys: []*rsa.PublicKey{&telegram.PublicKey}, DC: 4, Identity: test.proof, Host: "192.0.2.1"}
					got, err := dc(t, test.server, in)
					switch {
					case test.wrong == nil && (err != nil || !got.Nonce || got.Identity != (test.proof && test.server.Lie == "")):
						t.Errorf("%+v, %v", got, err)
					case test.wrong != nil && (!test.wrong(err) || got.Identity):
						t.Errorf("%+v, %v", got, err)
					}
					if got.Sent+got.Received > 3000 {
						t.Errorf("%d bytes out, %d in", got.Sent, got.Received)
					}
				})
			})
		}
	}
}

// says is a peer that answers whatever comes with these bytes, and stays.
func says(t *testing.T, ctx context.Context, transport app.Transport, answer string) error {
	t.Helper()
	near, far := net.Pipe()
	go func() {
		_, _ = far.Read(make([]byte, 2000))
		_, _ = io.WriteString(far, answer)
		_, _ = io.Copy(io.Discard, far)
	}()
	telegram := keys()[0]
	_, err := app.MTProto(ctx, near, app.MTProtoInput{Transport: transport, Keys: []*rsa.PublicKey{&telegram.PublicKey}, DC: 1, Host: "192.0.2.1"})
	_ = near.Close()
	return err
}

// Over HTTP the errors of MTProto's transport are statuses of HTTP; any other status is somebody else's.
func TestMTProtoErrorsOverHTTP(t *testing.T) {
	for status, code := range map[int]int32{403: -403, 404: -404, 429: -429, 444: -444, 400: 0, 302: 0, 500: 0, 502: 0} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			err := says(t, ctx, app.OverHTTP, fmt.Sprintf("HTTP/1.1 %d No\r\nContent-Length: 2\r\n\r\nno", status))
			r, refused := errors.AsType[*app.Refused](err)
			_, other := errors.AsType[*app.NotSpoken](err)
			if refused != (code != 0) || other == refused || refused && (r.Code != code || !strings.HasPrefix(string(r.FirstBytes), "HTTP/1.1 4")) {
				t.Errorf("status %d: %v", status, err)
			}
		})
	}
}

// An answer that began and never came to its end is none of MTProto's; one that never began is silence, and one that we
// broke off ourselves is neither.
func TestMTProtoAnswerWithoutAnEnd(t *testing.T) {
	for _, transport := range []app.Transport{app.Abridged, app.Intermediate, app.PaddedIntermediate} {
		for _, test := range []struct {
			answer        string
			ours, timeout bool
		}{{"", false, true}, {"\x20", false, false}, {"\x54\x00\x00\x00\x00\x00", false, false}, {"\x54\x00\x00\x00\x00\x00", true, true}} {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if test.ours {
					time.AfterFunc(time.Second, cancel)
				}
				err := says(t, ctx, transport, test.answer)
				_, other := errors.AsType[*app.NotSpoken](err)
				var n net.Error
				if timeout := errors.As(err, &n) && n.Timeout(); timeout != test.timeout || other == test.timeout {
					t.Errorf("%s, %q, broken off by us %v: %v", transport, test.answer, test.ours, err)
				}
			})
		}
	}
}

// What a server does not speak it swallows, and the rest it speaks.
func TestMTProtoDeafServer(t *testing.T) {
	telegram := keys()[0]
	for _, deaf := range app.Transports {
		for _, transport := range app.Transports {
			synctest.Test(t, func(t *testing.T) {
				_, err := dc(t, app.MTProtoServer{Key: telegram, Deaf: []app.Transport{deaf}}, app.MTProtoInput{Transport: transport, Keys: []*rsa.PublicKey{&telegram.PublicKey}, DC: 1})
				var n net.Error
				if silent := errors.As(err, &n) && n.Timeout(); silent != (deaf == transport) || err != nil && !silent {
					t.Errorf("deaf to %s, asked in %s: %v", deaf, transport, err)
				}
			})
		}
	}
}

// What a server sends may end anywhere, or come byte by byte; the error is clear, and the work bounded.
func TestMTProtoBrokenOff(t *testing.T) {
	telegram := keys()[0]
	in := app.MTProtoInput{Transport: app.Intermediate, Keys: []*rsa.PublicKey{&telegram.PublicKey}, DC: 1}
	for n := range 84 {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			go func() {
				s := app.MTProtoServer{Key: telegram}
				_ = s.Serve(&scissors{Conn: far, left: n})
				_ = far.Close()
			}()
			_, err := app.MTProto(t.Context(), near, in)
			_ = near.Close()
			_, other := errors.AsType[*app.NotSpoken](err)
			if n == 0 && !errors.Is(err, io.EOF) || n > 0 && !other {
				t.Errorf("after %d bytes: %v", n, err)
			}
		})
	}
}

// scissors lets so many bytes through, one at a time, and closes.
type scissors struct {
	net.Conn
	left int
}

func (s *scissors) Write(p []byte) (int, error) {
	for i := range p {
		if s.left == 0 {
			return i, s.Close()
		}
		s.left--
		if _, err := s.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// peer sends what a fuzzer says, whatever comes.
type peer struct {
	net.Conn
	in io.Reader
}

func (p *peer) Read(b []byte) (int, error)         { return p.in.Read(b) }
func (p *peer) Write(b []byte) (int, error)        { return len(b), nil }
func (p *peer) SetDeadline(time.Time) error        { return nil }
func (p *peer) LocalAddr() net.Addr                { return nil }
func (p *peer) SetReadDeadline(t time.Time) error  { return nil }
func (p *peer) SetWriteDeadline(t time.Time) error { return nil }

// Whatever comes, the exchange ends, keeps few bytes, and never believes.
func FuzzMTProto(f *testing.F) {
	f.Add([]byte("\x04\x00\x00\x00\x6c\xfe\xff\xff"), byte(1))
	f.Add(bytes.Repeat([]byte{0xff}, 3000), byte(0))
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\nabc"), byte(3))
	f.Add([]byte("\x54\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x68\x40\x00\x00\x00\x63\x24\x16\x05"), byte(1))
	telegram := keys()[0]
	f.Fuzz(func(t *testing.T, in []byte, transport byte) {
		p := &peer{in: bytes.NewReader(in)}
		got, err := app.MTProto(t.Context(), p, app.MTProtoInput{
			Transport: app.Transports[int(transport)%len(app.Transports)], Keys: []*rsa.PublicKey{&telegram.PublicKey}, DC: 1, Identity: true,
		})
		if err == nil || got.Identity || got.Received > 2<<10 {
			t.Errorf("%+v, %v", got, err)
		}
		if n, ok := errors.AsType[*app.NotSpoken](err); ok && len(n.FirstBytes) > 64 {
			t.Errorf("%d bytes are kept", len(n.FirstBytes))
		}
	})
}

// A server takes whatever a client sends, and ends when the client does.
func FuzzMTProtoServer(f *testing.F) {
	f.Add([]byte("\xef\x0a"))
	f.Add([]byte("POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd"))
	f.Add(bytes.Repeat([]byte{0xdd}, 80))
	telegram := keys()[0]
	f.Fuzz(func(_ *testing.T, in []byte) {
		s := app.MTProtoServer{Key: telegram}
		_ = s.Serve(&peer{in: bytes.NewReader(in)})
	})
}
