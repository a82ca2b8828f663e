package netlab

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/app"
)

// secrets are the private keys of the apps' emulated servers, and of somebody who would like to be one. Nobody
// has the real ones. They are made once in a process: a key of RSA takes a moment.
type secrets struct {
	telegram, imposter *rsa.PrivateKey
	whatsapp           ed25519.PrivateKey
	whatsappRoot       [32]byte
}

var theSecrets = sync.OnceValue(func() *secrets {
	var s secrets
	var err [3]error
	s.telegram, err[0] = rsa.GenerateKey(rand.Reader, 2048)
	s.imposter, err[1] = rsa.GenerateKey(rand.Reader, 2048)
	_, s.whatsapp, err[2] = ed25519.GenerateKey(rand.Reader)
	for _, e := range err {
		if e != nil {
			panic(e) // the system's chance does not fail (crypto/rand, since Go 1.24)
		}
	}
	s.whatsappRoot = app.WhatsAppRootOf(s.whatsapp)
	return &s
})

// How long before and after now the certificates of emulated chat servers hold: they have just been made, which
// a clock that is behind can't know. Chosen by us.
const (
	chainAge  = time.Hour
	chainLife = 30 * 24 * time.Hour
)

// serveApp answers connections in an app's own protocol.
func (m *machine) serveApp(l net.Listener, speak func(net.Conn) error) {
	m.accept(l, func(c net.Conn) { _ = speak(c) })
}

// speakMTProto is a data centre of Telegram's.
func (m *machine) speakMTProto(c net.Conn) error {
	s := app.MTProtoServer{Key: theSecrets().telegram}
	switch {
	case m.trouble.newKeys:
		s.Key = theSecrets().imposter
	case m.trouble.refusesApp:
		s.Lie, s.Refusal = app.LieRefusal, m.trouble.refusal
	case m.trouble.stallsApp:
		s.Lie = app.LieStall
	}
	for _, d := range m.trouble.deaf {
		if d.port == 0 || d.port == portOfAddr(c.LocalAddr()) {
			s.Deaf = append(s.Deaf, d.framing)
		}
	}
	return s.Serve(c)
}

// deaf is a framing of MTProto's that a data centre does not speak, on a port; 0 is everywhere.
type deaf struct {
	framing app.Transport
	port    uint16
}

func portOfAddr(a net.Addr) uint16 {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return 0
	}
	return ap.Port()
}

// speakWhatsApp is a chat server of WhatsApp's.
func (m *machine) speakWhatsApp(c net.Conn) error {
	now := time.Now().Add(m.clock)
	s := app.NewWhatsAppServer(theSecrets().whatsapp, now.Add(-chainAge), now.Add(chainLife))
	if m.trouble.newKeys {
		s.Falsity = app.ForgedChain
	}
	return s.Serve(c)
}

// impersonateApp is a box that would like to be an app's server: r.Lie says how it lies.
func impersonateApp(c net.Conn, r *Rule, first []byte) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Minute)) // no client takes longer
	if strings.HasPrefix(string(first), "WA") {
		now := time.Now()
		s := app.NewWhatsAppServer(theSecrets().whatsapp, now.Add(-chainAge), now.Add(chainLife))
		if s.Falsity = app.ForgedChain; r.Lie != "" {
			s.Falsity = app.WhatsAppFalsity(r.Lie)
		}
		_ = s.Serve(c)
		return
	}
	s := app.MTProtoServer{Key: theSecrets().imposter, Named: &theSecrets().telegram.PublicKey, Lie: app.LieKey}
	if r.Lie != "" {
		s.Lie = app.MTProtoLie(r.Lie)
	}
	_ = s.Serve(c)
}

// webSocket is what is at a path where a target's WebSocket is; a request that asks for none gets a page.
func (m *machine) webSocket(name, speaks string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			_, _ = w.Write(page(name, r.URL.Path))
			return
		}
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		ws, err := app.TakeWebSocket(conn, buffered.Reader, r)
		if err != nil {
			return
		}
		said := &overheard{Conn: ws, hear: m.inside}
		switch speaks {
		case measurements.MTProto:
			_ = m.speakMTProto(said)
		case measurements.WhatsAppNoise:
			_ = m.speakWhatsApp(said)
		default:
			_, _ = ws.Read(make([]byte, 1))
		}
	}
}

// overheard is a connection of which somebody is told what comes.
type overheard struct {
	net.Conn
	hear func([]byte, int) // may be nil
	nth  int
}

func (c *overheard) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.hear != nil {
		c.hear(b[:n], c.nth)
		c.nth++
	}
	return n, err
}

// proofs puts on a target's sites what its app alone sends.
func (p *plan) proofs(t *probe.Target) {
	for _, host := range t.Hosts {
		for _, a := range p.zone.addresses(host) {
			m := p.machine(a, "")
			s := m.site(host)
			for _, w := range t.Probes {
				switch w {
				case probe.ProbeWSS:
					s.paths[pathOf(t.Path)] = m.webSocket(host, t.Speaks)
				case probe.ProbeLEGY:
					s.legy = true
				}
			}
			if t.ProofHeader != "" {
				s.proof = t.ProofHeader
			}
		}
	}
}

// prove adds to an answer what the app alone sends, and says whether the answer's status stands inside it.
func (s *site) prove(w http.ResponseWriter, r *http.Request) (inside bool) {
	if s.trouble.unproved {
		return false
	}
	if s.proof != "" {
		w.Header().Set(s.proof, "1")
	}
	if s.legy && r.Header.Get("X-Lpv") == "1" {
		w.Header().Set("X-Lc", "404")
		return true
	}
	return false
}

// serveSTUN answers binding requests.
func (m *machine) serveSTUN(c net.PacketConn) {
	m.closers = append(m.closers, c.Close)
	m.tasks.Go(func() {
		b := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if a := app.ServeSTUN(b[:n], from.(*net.UDPAddr).AddrPort()); a != nil {
				_, _ = c.WriteTo(a, from)
			}
		}
	})
}
