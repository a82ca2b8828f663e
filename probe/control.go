package probe

import (
	"context"
	"crypto/rand"
	mrand "math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// neutralSuffix ends the random names of control N: IANA's documentation domain, which nobody
// blocks and nobody is hurt by (RFC 2606, section 3).
const neutralSuffix = ".example.com"

// neutralFor is the name of control N for a target's name: the catalogue's, else a random label, so
// that the whole is as long as the target's name where that can be. A filter that looks at lengths
// then sees no difference.
func neutralFor(t Target, name string) string {
	if t.Neutral != "" {
		return t.Neutral
	}
	n := min(max(len(name)-len(neutralSuffix), 4), 63) // a label has at most 63 octets (RFC 1035, section 2.3.4)
	var b strings.Builder
	for range n {
		var c [1]byte
		_, _ = rand.Read(c[:]) // never fails
		b.WriteByte('a' + c[0]%26)
	}
	return b.String() + neutralSuffix
}

// resolveSystem asks the resolvers under test, the next one where one is silent, as a stub does.
func (p *Plan) resolveSystem(ctx context.Context, s *sheet, r role, name string, f measurements.Family) measurements.Observation {
	var o measurements.Observation
	for _, res := range p.system {
		o = p.resolve(ctx, res, name, f)
		anonymous(&o)
		if o.DNS != nil && o.DNS.Rcode >= 0 || ctx.Err() != nil {
			break
		}
	}
	if o.Operation != "" {
		if o.DNS != nil && r.control == measurements.T {
			o.DNS.Pinned = pinWord(p.Host.inHostsFile(name), f)
		}
		s.note(r, o)
	}
	return o
}

// wantsBehind says whether the resolvers behind the stub are asked for a name that they, by way of the
// stub, answered well: now and then, to save the traffic.
func (p *Plan) wantsBehind(name string) bool {
	return p.Thorough || p.Rotation.Includes("behind "+name)
}

// askBehind asks the resolvers behind a stub directly, and listens for what the stub hides: answers that
// come after the first. It is a further look at the question that the stub was asked, and says whether
// answers contradicted each other.
func (p *Plan) askBehind(ctx context.Context, s *sheet, target, name string, f measurements.Family) (contradicted bool) {
	if p.Without[measurements.D] {
		return false
	}
	for _, res := range p.behind {
		if ctx.Err() != nil {
			return false
		}
		o := p.resolve(ctx, res, name, f)
		anonymous(&o)
		o.DNS.Behind = true
		s.note(role{target: target, control: measurements.D}, o)
		if o.DNS.Rcode >= 0 {
			return len(o.DNS.Late) > 0
		}
	}
	return false
}

// resolveNeutral is control N of a name that the resolver under test failed for: what does it say now of a
// neutral host's, which it resolved before? The gate's own questions are older. It says whether that name was resolved.
func (p *Plan) resolveNeutral(ctx context.Context, s *sheet, target string, f measurements.Family) bool {
	if p.Without[measurements.N] || len(p.Controls) == 0 {
		return false
	}
	release, ok := slot(ctx, p.lookups)
	defer release()
	if !ok {
		return false
	}
	names := p.resolved[f]
	if len(names) == 0 {
		names = []string{p.Controls[mrand.IntN(len(p.Controls))].Host}
	}
	o := p.resolveSystem(ctx, s, role{target: target, control: measurements.N}, names[mrand.IntN(len(names))], f)
	return o.OK() && o.DNS != nil
}

// resolvedNames are the neutral names to which the resolver under test gave an address when the gate was measured: a
// list of names may have others of them on it, those of public resolvers for one.
func resolvedNames(gate *measurements.Measurement) map[measurements.Family][]string {
	names := map[measurements.Family][]string{}
	for i := range gate.Observations {
		if o := &gate.Observations[i]; o.Operation == measurements.Resolve && o.Control == measurements.T && o.OK() && o.DNS != nil {
			names[o.Family] = append(names[o.Family], o.Name)
		}
	}
	return names
}

// anonymous takes the address of a resolver of the system's out of the record: it may be the home's own.
func anonymous(o *measurements.Observation) {
	o.Endpoint = ""
	if o.DNS != nil {
		o.DNS.Resolver = measurements.SystemResolver
	}
}

// askTrusted is control D: the same resolver over TCP (is it UDP that lies?), then the trusted ones
// until one of them gives an address. given is what the resolver under test gave.
func (p *Plan) askTrusted(ctx context.Context, s *sheet, target, name string, f measurements.Family, given []netip.Addr) []netip.Addr {
	if p.Without[measurements.D] {
		return nil
	}
	r := role{target: target, control: measurements.D}
	if len(p.system) > 0 {
		if tcp := overTCP(p.system[0]); tcp.URL != "" {
			o := p.resolve(ctx, tcp, name, f)
			anonymous(&o)
			s.note(r, o)
		}
	}
	for _, res := range p.Trusted {
		if ctx.Err() != nil {
			return nil
		}
		o := p.resolve(ctx, res, name, f)
		s.note(r, o)
		if o.OK() && o.DNS != nil && len(o.DNS.Addresses) > 0 {
			return o.DNS.Addresses
		}
		if private := vouched(o, given); len(private) > 0 {
			return private
		}
	}
	return nil
}

// overTCP is the same resolver over TCP, where it is one that is asked over UDP.
func overTCP(r Resolver) Resolver {
	rest, udp := strings.CutPrefix(r.URL, "udp://")
	if !udp {
		return Resolver{}
	}
	return Resolver{URL: "tcp://" + rest, Addresses: r.Addresses}
}

// wantsNeutral says whether control N is made before this target's own steps at the addresses of one name and family; ""
// is the name of those that have none.
func (p *Plan) wantsNeutral(key, host string, f measurements.Family) bool {
	if p.Without[measurements.N] {
		return false
	}
	return p.Thorough || p.Suspicion != nil && p.Suspicion.Suspected(key) || p.neutral.Includes(p.Rotation, neutralKey(key, host, f))
}

func neutralKey(target, host string, f measurements.Family) string {
	return target + " " + host + " " + string(f)
}

// dealNeutral gives each name and family of every target the round in which control N goes before it.
func dealNeutral(apps []App) schedule.Deal {
	var keys []string
	for _, app := range apps {
		for _, t := range app.Targets {
			hosts := t.Hosts
			if len(hosts) == 0 {
				hosts = []string{""}
			}
			for _, host := range hosts {
				for _, f := range []measurements.Family{measurements.IPv4, measurements.IPv6} {
					keys = append(keys, neutralKey(app.ID+"/"+t.ID, host, f))
				}
			}
		}
	}
	return schedule.NewDeal(keys)
}

// Silence on a fresh connection is kept for a round trip and a quarter, so that what a box, or the
// server itself, sends right after the accept is seen before we speak. Bounded: a slow path must not cost seconds.
const (
	leastSettle = 20 * time.Millisecond
	mostSettle  = 300 * time.Millisecond
)

func settleFor(connect measurements.Seconds) time.Duration {
	return min(max(time.Duration(connect)*5/4, leastSettle), mostSettle)
}

// pingShare is the part of the step timeout that control V may take: it only says whether anything
// is there, after a handshake had the whole time.
const pingShare = 3

// ping is control V: does any QUIC server, or anybody, answer at this address?
func (c chain) ping(ctx context.Context) {
	if c.p.Without[measurements.V] {
		return
	}
	sctx, cancel := context.WithTimeout(ctx, c.p.Timeout/pingShare)
	defer cancel()
	o := c.p.Host.VersionPing(sctx, c.ep)
	c.role.control, c.role.conn = measurements.V, c.s.conn()
	c.note(o)
}
