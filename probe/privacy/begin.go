package privacy

import (
	"net/netip"
	"slices"

	"github.com/telltale-probe/telltale/measurements"
)

// pass is the way through one round.
type pass struct {
	*Scrubber
	*eye
	binary [][]byte
	stands map[netip.Addr]netip.Addr
	taken  map[netip.Addr]bool        // addresses of others that the round is about, and those that stand for ours
	homes  map[*measurements.TLS]bool // chains of boxes at home
	keys   map[string]bool            // that the reference vantage met
	whole  map[*byte]bool             // certificates that were looked at, and stay as they are
	cache  map[string]string
	found  Own
}

// begin looks through a round for what has to be known of it beforehand.
func (s *Scrubber) begin(r *measurements.Round, learnt []netip.Addr) *pass {
	p := &pass{
		Scrubber: s,
		stands:   map[netip.Addr]netip.Addr{}, taken: map[netip.Addr]bool{},
		homes: map[*measurements.TLS]bool{}, keys: map[string]bool{}, whole: map[*byte]bool{}, cache: map[string]string{},
	}
	servers := proved(r)
	ours := newAddresses(s.own, append(slices.Clip(s.known), laboratory(servers)...))
	for _, a := range believed(servers, r, learnt) {
		if ours.may(a) {
			ours.exact[a] = true
			p.found.Addresses = append(p.found.Addresses, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	p.eye = newEye(ours, s.lexicon, s.own)
	p.measured = func(a netip.Addr) bool { return p.taken[a] || ours.known[a] }
	p.listOthers(r)
	p.learnNames(r)
	p.binary = ours.binary(s.own.MACs)
	return p
}

// proved are the addresses at which somebody proved to be an app's server.
func proved(r *measurements.Round) map[netip.Addr]bool {
	out := map[netip.Addr]bool{}
	for o := range observations(r) {
		if o.OK() && (o.TLS != nil || o.App != nil && o.App.Proof == measurements.ProvedIdentity) {
			out[plain(o.Addr())] = true
		}
	}
	return out
}

// documentation are addresses that nobody is given (RFC 5737, RFC 3849, RFC 9637).
var documentation = prefixes("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")

// laboratory lists the servers that are a laboratory's: it may have them on this very machine, and compares what is
// said of them with others. Their addresses tell nobody anything.
func laboratory(servers map[netip.Addr]bool) (out []netip.Addr) {
	for a := range servers {
		if slices.ContainsFunc(documentation, func(p netip.Prefix) bool { return p.Contains(a) }) {
			out = append(out, a)
		}
	}
	return out
}

// believed are those of the learnt addresses that may be ours: public ones at which nobody has proved to be a
// server, and which no trusted resolver gives for a name.
func believed(servers map[netip.Addr]bool, r *measurements.Round, learnt []netip.Addr) []netip.Addr {
	given := map[netip.Addr]bool{}
	for o := range observations(r) {
		if o.DNS != nil && o.Control == measurements.D && o.DNS.Resolver != measurements.SystemResolver {
			for _, a := range o.DNS.Addresses {
				given[plain(a)] = true
			}
		}
	}
	var out []netip.Addr
	for _, a := range learnt {
		a = plain(a)
		if !servers[a] && !given[a] && a.IsValid() && (kindOf(a) == public4 || kindOf(a) == public6) {
			out = append(out, a)
		}
	}
	return out
}

// observations gives all of a round's.
func observations(r *measurements.Round) func(yield func(*measurements.Observation) bool) {
	return func(yield func(*measurements.Observation) bool) {
		for m := range measured(r) {
			for i := range m.Observations {
				if !yield(&m.Observations[i]) {
					return
				}
			}
		}
	}
}

func measured(r *measurements.Round) func(yield func(*measurements.Measurement) bool) {
	return func(yield func(*measurements.Measurement) bool) {
		if !yield(&r.Gate) {
			return
		}
		for i := range r.Apps {
			if !yield(&r.Apps[i]) {
				return
			}
		}
	}
}

// listOthers lists the addresses that the round is about. Every other one has to be the configuration's.
func (p *pass) listOthers(r *measurements.Round) {
	add := func(as ...netip.Addr) {
		for _, a := range as {
			if a = plain(a); a.IsValid() && !p.ours.has(a) {
				p.taken[a] = true
			}
		}
	}
	endpoint := func(text string) {
		if ap, err := netip.ParseAddrPort(text); err == nil {
			add(ap.Addr())
		}
	}
	for m := range measured(r) {
		for i := range m.Observations {
			o := &m.Observations[i]
			endpoint(o.Endpoint)
			if o.HTTP != nil {
				add(leadsTo(o.HTTP.Location))
			}
			if o.DNS == nil {
				continue
			}
			add(o.DNS.Addresses...)
			for j := range o.DNS.Late {
				add(o.DNS.Late[j].Addresses...)
			}
		}
		for i := range m.Skipped {
			endpoint(m.Skipped[i].Endpoint)
		}
		for i := range m.Hops {
			endpoint(m.Hops[i].Endpoint)
		}
		p.listReference(m.Reference, add, endpoint)
	}
}

func (p *pass) listReference(r *measurements.Reference, add func(...netip.Addr), endpoint func(string)) {
	if r == nil {
		return
	}
	for i := range r.Targets {
		for _, n := range r.Targets[i].Names {
			for _, text := range n.Addresses {
				if a, err := netip.ParseAddr(text); err == nil {
					add(a)
				}
			}
		}
		for _, l := range r.Targets[i].Layers {
			for _, e := range l.Endpoints {
				endpoint(e.Endpoint)
				for _, k := range e.Keys {
					p.keys[k] = true
				}
			}
		}
	}
}
