package probe

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/app"
)

// Message is something that a visit sends, byte by byte. What is random in it is random again each time.
type Message struct {
	What  string
	Bytes []byte
}

// taped is where what is taped would go: an address for documentation (RFC 5737).
var taped = netip.MustParseAddrPort("192.0.2.1:443")

// Tape lists what visits to a target send, in order, by running their own steps against connections that lead
// nowhere; nothing leaves the process. What follows an answer is there where the answer is an app's own, since a
// server of our making gives it. Inside TLS and QUIC the list has what is enciphered, in clear: HTTP/1.1, whose
// fields HTTP/2 and HTTP/3 send in their own form.
func Tape(ctx context.Context, t Target) []Message {
	tp := &tape{}
	tp.ofTarget(ctx, t)
	return tp.out
}

func (tp *tape) ofTarget(ctx context.Context, t Target) {
	for _, name := range t.Hosts {
		tp.resolve(ctx, name)
	}
	if t.Neutral != "" && slices.Contains(t.Probes, ProbeSTUN) {
		tp.resolve(ctx, t.Neutral) // control N's server is another's
	}
	hosts := t.Hosts
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	for _, w := range t.Probes {
		switch w {
		case ProbeTLS, ProbeHTTPS, ProbeWSS, ProbeLEGY, ProbeH3, ProbeHTTP:
			for _, host := range hosts {
				tp.named(ctx, t, host, w)
			}
		default: // no name is in it
			tp.exchange(ctx, t, hosts[0], w)
		}
	}
}

// named is what a probe says to a name.
func (tp *tape) named(ctx context.Context, t Target, host string, w Probe) {
	switch w {
	case ProbeTLS, ProbeHTTPS, ProbeWSS, ProbeLEGY:
		also := " (and to a helper)"
		if w == ProbeWSS { // they offer what a page needs, whatever is spoken behind the name
			tp.hellos(ctx, host, alpn, " (only to a helper)")
			also = ""
		}
		tp.hellos(ctx, host, offersOf(w), also)
	case ProbeH3:
		tp.quic(ctx, host, " (and to a helper)")
	}
	tp.exchange(ctx, t, host, w)
	switch w {
	case ProbeTLS, ProbeHTTPS, ProbeWSS, ProbeLEGY:
		tp.foreign(ctx, t, host, w)
	}
	if (w == ProbeHTTPS || w == ProbeLEGY) && host != "" && !slices.Contains(t.Probes, ProbeH3) {
		tp.quic(ctx, host, " (where the server's Alt-Svc, or the name's HTTPS record, offers HTTP/3)")
	}
}

// foreign is what is asked of whoever shows a certificate that is not the target's: what it serves is evidence. A visit
// asks for the path after its last hello, and for "/" after the others.
func (tp *tape) foreign(ctx context.Context, t Target, host string, w Probe) {
	paths := []string{"/"}
	if w == ProbeWSS {
		paths = append(paths, t.Path)
	}
	for _, path := range paths {
		in := HTTPInput{Host: nameOr(host), Path: path}
		if w == ProbeLEGY {
			in.Speaks = measurements.LEGY
		}
		if w == ProbeWSS || path != t.Path || w == ProbeTLS {
			tp.request(ctx, "request to whoever shows a certificate that is not the target's", in)
		}
	}
}

// nameOr is the Host of a request to a target that has no name.
func nameOr(host string) string {
	if host == "" {
		return taped.Addr().String()
	}
	return host
}

// exchange is what a probe says once it is connected.
func (tp *tape) exchange(ctx context.Context, t Target, host string, w Probe) {
	switch w {
	case ProbeHTTPS, ProbeLEGY, ProbeH3, ProbeHTTP:
		in := HTTPInput{Host: nameOr(host), Path: t.Path}
		if w == ProbeLEGY {
			in.Speaks = measurements.LEGY
		}
		tp.request(ctx, "request", in)
	case ProbeWSS:
		tp.listen("request for a WebSocket", func(c net.Conn) {
			_, _ = app.Upgrade(ctx, c, app.UpgradeInput{Host: host, Path: t.Path, Origin: t.Origin, Protocol: t.Subprotocol, UserAgent: UserAgent})
		})
		tp.spoken(ctx, t, t.Speaks, []app.Transport{app.Obfuscated}, ", in the WebSocket")
	case ProbeMTProto:
		tp.spoken(ctx, t, measurements.MTProto, app.Transports, "")
	case ProbeWhatsApp:
		tp.spoken(ctx, t, measurements.WhatsAppNoise, nil, "")
	case ProbeSTUN:
		tp.listen("STUN binding request (up to seven times)", func(c net.Conn) { _, _ = app.STUN(ctx, c) })
	}
}

// spoken is an app's own first exchange.
func (tp *tape) spoken(ctx context.Context, t Target, protocol string, arms []app.Transport, where string) {
	switch protocol {
	case measurements.MTProto:
		for _, arm := range arms {
			tp.mtproto(ctx, t, arm, where)
		}
	case measurements.WhatsAppNoise:
		tp.listen("WhatsApp's client hello (Noise)"+where, func(c net.Conn) {
			_, _ = app.WhatsApp(ctx, c, app.WhatsAppInput{Root: t.NoiseRoot, Now: time.Now()})
		})
	}
}

// mtproto has a server that answers, with a key of its own: the question for its proof follows the answer.
func (tp *tape) mtproto(ctx context.Context, t Target, arm app.Transport, where string) {
	if tp.key == nil {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err) // the system's chance does not fail (crypto/rand, since Go 1.24)
		}
		tp.key = key
	}
	near, far := net.Pipe()
	defer near.Close()
	go func() {
		s := app.MTProtoServer{Key: tp.key}
		_ = s.Serve(far)
	}()
	c := &listener{Conn: near, heard: make(chan struct{})}
	_, _ = app.MTProto(ctx, c, app.MTProtoInput{Transport: arm, Keys: []*rsa.PublicKey{&tp.key.PublicKey}, DC: t.DC, Identity: true, Host: taped.Addr().String()})
	what := "MTProto, " + string(arm) + where + ": "
	for i, b := range c.messages() {
		tp.out = append(tp.out, Message{What: what + []string{"req_pq_multi", "req_DH_params (under suspicion, and once a week)"}[min(i, 1)], Bytes: b})
	}
}
