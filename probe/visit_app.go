package probe

import (
	"context"
	"crypto/tls"
	"net/netip"
	"slices"
	"sync"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/app"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// visitMTProto connects to a data centre, stays silent a moment, and makes Telegram's first exchange. Control N
// is the same exchange in bytes that no filter can tell from chance (obfuscated2): where they pass and the
// plain ones die, it is the protocol that dies.
func (c chain) visitMTProto(ctx context.Context, t Target, arm app.Transport, opaque bool) bool {
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
	return c.mtproto(ctx, t, arm)
}

func (c chain) mtproto(ctx context.Context, t Target, arm app.Transport) bool {
	conn, o := c.connect(ctx)
	if conn == nil || !c.settle(ctx, conn, o) {
		return false
	}
	sctx, cancel := c.step(ctx, false)
	defer cancel()
	x := MTProto(sctx, conn, "", app.MTProtoInput{Transport: arm, Keys: t.Keys, DC: t.DC, Identity: c.identity, Host: c.ep.Addr().String()})
	c.identified(x)
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
		c.identified(x)
		c.note(x)
		return x.OK()
	}
}

// neutralSTUN is control N of a request for a binding. Nothing in a request bears a name, so that N is another's
// server: the catalogue's neutral one. That is a place of its own, which may rest and is kept count of like any
// other; it is done with before the target's place is taken, so that nobody waits for one while he holds another.
// The trial is 0 where there was no N.
func (p *Plan) neutralSTUN(ctx context.Context, s *sheet, t Target, at schedule.Place) (trial int) {
	if t.Neutral == "" || p.Without[measurements.N] || p.Ledger != nil && p.Ledger.Rests(at) {
		return 0
	}
	r := role{target: t.ID, control: measurements.N, trial: s.trial(), origin: measurements.FromSystem}
	f := measurements.FamilyOf(at.Endpoint.Addr())
	release, ok := slot(ctx, p.lookups)
	var o measurements.Observation
	if ok {
		o = p.resolveSystem(ctx, s, r, t.Neutral, f)
	}
	release()
	if !ok || !o.OK() || o.DNS == nil || len(o.DNS.Addresses) == 0 {
		return r.trial
	}
	place := schedule.Place{Transport: "udp", Endpoint: netip.AddrPortFrom(o.DNS.Addresses[0], at.Endpoint.Port())}
	unlock := p.places.lock(place.Transport, place.Endpoint)
	defer unlock()
	release, ok = slot(ctx, p.slots)
	defer release()
	if reason := p.barred(place, ok); reason != "" {
		s.skip(measurements.Skip{Target: t.ID, Layer: measurements.LayerApp, Family: f, Endpoint: place.Endpoint.String(), Reason: reason})
		return r.trial
	}
	n := chain{p: p, s: s, ep: place.Endpoint, role: r}
	if !n.stun(ctx, t.Neutral) && p.Ledger != nil && ctx.Err() == nil {
		p.Ledger.Fail(place)
	}
	return r.trial
}

// stun asks for a binding, over UDP.
func (c chain) stun(ctx context.Context, host string) bool {
	c.role.conn = c.s.conn()
	sctx, cancel := c.step(ctx, true)
	defer cancel()
	o, mapped := c.p.Host.STUN(sctx, c.ep, host)
	c.p.learnt.add(mapped)
	c.note(o)
	return o.OK()
}

// opaque says whether first packets that look like chance may be sent to a target: they are filtered themselves in
// places, and penalised (Wu et al., USENIX Security 2023), so that they go out where the volunteer wants them, or
// under suspicion. A data centre has to be under it itself; WhatsApp's hosts are a pool, and stand for each other.
// What is wrong with an app's pages is no reason.
func (p *Plan) opaque(s *sheet, t Target) bool {
	switch {
	case p.Without[measurements.N]:
		return false
	case p.Opaque:
		return true
	case p.Suspicion == nil:
		return false
	case t.protocol() == measurements.MTProto:
		return p.Suspicion.Suspected(s.key(t))
	}
	return slices.ContainsFunc(p.targetsOf(s.m.App), func(u Target) bool {
		return u.protocol() == t.protocol() && p.Suspicion.Suspected(s.key(u))
	})
}

func (p *Plan) targetsOf(app string) []Target {
	i := slices.IndexFunc(p.Apps, func(a App) bool { return a.ID == app })
	if i < 0 {
		return nil
	}
	return p.Apps[i].Targets
}

// protocol is what a target speaks of its own, on a bare connection or in a WebSocket; "" is nothing.
func (t *Target) protocol() string {
	switch {
	case slices.Contains(t.Probes, ProbeMTProto):
		return measurements.MTProto
	case slices.Contains(t.Probes, ProbeWhatsApp):
		return measurements.WhatsAppNoise
	}
	return t.Speaks
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
