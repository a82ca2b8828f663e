package probe

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/app"
)

// plainArms are MTProto's framings that a filter can recognise by their first bytes. A visit takes one of them.
var plainArms = []app.Transport{app.Abridged, app.Intermediate, app.PaddedIntermediate, app.OverHTTP}

// visitMTProto connects to a data centre, stays silent a moment, and makes Telegram's first exchange. Control N
// is the same exchange in bytes that no filter can tell from chance (obfuscated2): where they pass and the
// plain ones die, it is the protocol that dies.
func (c chain) visitMTProto(ctx context.Context, t Target, opaque bool) bool {
	if opaque && c.p.penalties.due(c.ep) {
		n := c
		n.role.control = measurements.N
		if !n.mtproto(ctx, t, app.Obfuscated) {
			c.p.penalties.put(c.ep)
		}
		if c.s.connectFailed(n.role) {
			return false
		}
	}
	return c.mtproto(ctx, t, plainArms[rand.IntN(len(plainArms))])
}

func (c chain) mtproto(ctx context.Context, t Target, arm app.Transport) bool {
	conn, o := c.connect(ctx)
	if conn == nil || !c.settle(ctx, conn, o) {
		return false
	}
	sctx, cancel := c.step(ctx, false)
	defer cancel()
	x := MTProto(sctx, conn, "", app.MTProtoInput{Transport: arm, Keys: t.Keys, DC: t.DC, Identity: c.identity, Host: c.ep.Addr().String()})
	c.note(x)
	return x.OK()
}

// visitWhatsApp connects to a chat host and stays silent a moment; where opaque bytes are allowed, it makes
// the handshake too.
func (c chain) visitWhatsApp(ctx context.Context, t Target, host string, opaque bool) bool {
	if !opaque {
		return c.tcp(ctx)
	}
	conn, o := c.connect(ctx)
	if conn == nil || !c.settle(ctx, conn, o) {
		return false
	}
	sctx, cancel := c.step(ctx, false)
	defer cancel()
	x := WhatsApp(sctx, conn, host, t.NoiseRoot)
	c.note(x)
	return x.OK()
}

// upgrade asks for a WebSocket on a verified connection, and speaks in it what the target speaks.
func (t Target) upgrade(path string) func(context.Context, chain, *tls.Conn) bool {
	return func(ctx context.Context, c chain, conn *tls.Conn) bool {
		host := conn.ConnectionState().ServerName
		sctx, cancel := c.step(ctx, false)
		defer cancel()
		ws, x := WebSocket(sctx, conn, app.UpgradeInput{Host: host, Path: path, Origin: t.Origin, Protocol: t.Subprotocol}, true)
		c.note(x)
		if ws == nil {
			return x.OK()
		}
		hctx, done := c.step(ctx, false)
		defer done()
		switch t.Speaks {
		case measurements.MTProto:
			x = MTProto(hctx, ws, host, app.MTProtoInput{Transport: app.Obfuscated, Keys: t.Keys, DC: t.DC, Identity: c.identity, Host: host})
		case measurements.WhatsAppNoise:
			x = WhatsApp(hctx, ws, host, t.NoiseRoot)
		default:
			_ = ws.Close()
			return true
		}
		c.note(x)
		return x.OK()
	}
}

// visitSTUN asks for a binding, over UDP. Nothing in a request bears a name, so that control N is another's
// server: the catalogue's neutral one.
func (c chain) visitSTUN(ctx context.Context, t Target, host string) bool {
	if t.Neutral != "" && !c.p.Without[measurements.N] {
		c.neutralSTUN(ctx, t.Neutral)
	}
	return c.stun(ctx, host)
}

func (c chain) neutralSTUN(ctx context.Context, name string) {
	n := c
	n.role.control, n.role.origin = measurements.N, measurements.FromSystem
	o := c.p.resolveSystem(ctx, c.s, n.role, name, measurements.FamilyOf(c.ep.Addr()))
	if o.OK() && o.DNS != nil && len(o.DNS.Addresses) > 0 {
		n.ep = netip.AddrPortFrom(o.DNS.Addresses[0], c.ep.Port())
		n.stun(ctx, name)
	}
}

func (c chain) stun(ctx context.Context, host string) bool {
	c.role.conn = c.s.conn()
	sctx, cancel := c.step(ctx, true)
	defer cancel()
	o, mapped := c.p.Host.STUN(sctx, c.ep, host)
	c.p.learnt.add(mapped)
	c.note(o)
	return o.OK()
}

// opaque says whether first packets that look like chance may be sent to an app's targets: they are filtered
// themselves in places, and penalised (Wu et al., USENIX Security 2023), so that they go out where the
// volunteer wants them, or where anything of the app is under suspicion.
func (p *Plan) opaque(s *sheet) bool {
	if p.Without[measurements.N] {
		return false
	}
	return p.Opaque || p.Suspicion != nil && slices.ContainsFunc(s.m.Targets, func(t measurements.TargetInfo) bool {
		return p.Suspicion.Suspected(s.m.App + "/" + t.ID)
	})
}

// wantsIdentity says whether the proof that costs the server an operation of RSA is asked for: under
// suspicion, in a thorough round, and else about once a week.
func (p *Plan) wantsIdentity(key string) bool {
	return p.Thorough || p.Suspicion != nil && p.Suspicion.Suspected(key) ||
		p.IdentityEvery > 0 && p.Rotation.Nth("identity "+key, uint64(p.IdentityEvery))
}

// penalties are the data centres at which control N died the last time. N itself may have brought that on, so
// that the target's own step goes alone the next time.
type penalties struct {
	mu   sync.Mutex
	died map[netip.AddrPort]bool
}

// due says whether N may be made at a place.
func (p *penalties) due(at netip.AddrPort) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	died := p.died[at]
	delete(p.died, at)
	return !died
}

func (p *penalties) put(at netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.died == nil {
		p.died = map[netip.AddrPort]bool{}
	}
	p.died[at] = true
}
