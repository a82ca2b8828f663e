package netlab

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// afflict writes a fault into the plan.
func (p *plan) afflict(f Fault) error {
	switch f.Kind {
	case FaultMovedAddress:
		return p.move(f)
	case FaultGone, FaultServfail:
		return p.lose(f)
	case FaultDNSFilter:
		return p.filter(f)
	case FaultNegativeCache, FaultBogus, FaultNoAuthority:
		return p.trouble(f)
	}
	machines, err := p.afflicted(f)
	if err != nil {
		return err
	}
	for _, m := range machines {
		if m.afflict(f) {
			continue
		}
		sites, err := m.afflicted(f)
		if err != nil {
			return err
		}
		for _, s := range sites {
			if !s.afflict(f) {
				return f.wrong("no such kind")
			}
		}
	}
	return nil
}

// afflicted lists the machines that a fault concerns.
func (p *plan) afflicted(f Fault) ([]*machine, error) {
	at := p.zone.addresses(f.Host)
	switch {
	case f.Host != "" && at == nil:
		return nil, f.wrong("no such host")
	case f.Address.IsValid():
		at = []netip.Addr{f.Address.Unmap()}
	case f.Host == "":
		return nil, f.wrong("names neither host nor address")
	}
	machines := make([]*machine, len(at))
	for i, a := range at {
		if machines[i] = p.machines[a]; machines[i] == nil {
			return nil, f.wrong("nothing is at " + a.String())
		}
	}
	return machines, nil
}

// afflicted lists the sites of a machine that a fault concerns.
func (m *machine) afflicted(f Fault) ([]*site, error) {
	var sites []*site
	for name, s := range m.sites {
		if f.Host == "" || name == strings.ToLower(f.Host) {
			sites = append(sites, s)
		}
	}
	if len(sites) == 0 {
		return nil, f.wrong("nothing is served there")
	}
	return sites, nil
}

// afflict takes what concerns the machine as a whole; false: it is another kind of fault.
func (m *machine) afflict(f Fault) bool {
	t := &m.trouble
	switch f.Kind {
	case FaultDown:
		t.down = true
	case FaultRefuse:
		t.refuses = true
	case FaultMute:
		t.mute = true
	case FaultNoSNIDefault:
		t.strictSNI = true
	case FaultResetsPQ:
		t.smallHellos = true
	case FaultSlow:
		t.slow, t.latency, t.rate, t.loss = true, time.Duration(f.Latency), f.Rate, f.Loss
	case FaultNewKeys:
		t.newKeys = true
	case FaultAppRefuses:
		t.refusesApp, t.refusal = true, f.Status
	case FaultAppStalls:
		t.stallsApp = true
	case FaultNoFraming:
		t.deaf = append(t.deaf, deaf{f.Framing, f.Port})
	case FaultNoH3:
		t.noQUIC = true
		for _, s := range m.sites {
			if !f.Advertised {
				s.h3 = 0
			}
		}
	default:
		return false
	}
	return true
}

// afflict takes what concerns one name; false: it is no kind of fault at all.
func (s *site) afflict(f Fault) bool {
	t := &s.trouble
	switch f.Kind {
	case FaultHTTPStatus:
		t.status, t.location = f.Status, f.Location
	case FaultHangs:
		t.hangs = true
	case FaultExpiredCertificate:
		t.expired = true
	case FaultWrongCertificate:
		t.certificateOf = "www.example.net"
	case FaultIncompleteChain:
		t.incomplete = true
	case FaultNewAuthority:
		t.newAuthority = true
	case FaultStaleEdge:
		t.unknown = true
	case FaultMuteName:
		t.mute = true
	case FaultSlowName:
		t.rate = f.Rate
	case FaultRefusesOld:
		t.refusesOld = true
	case FaultSwallowsOld:
		t.swallowsOld = true
	case FaultUnproved:
		t.unproved = true
	default:
		return false
	}
	return true
}

// move gives the machines of a host new addresses, where every name that led to them leads from now
// on. At the old ones, which the catalogue may still hold, the ports are closed.
func (p *plan) move(f Fault) error {
	machines, err := p.afflicted(f)
	if err != nil {
		return err
	}
	if f.Host == "" {
		return f.wrong("names no host")
	}
	for i, old := range machines {
		var to netip.Addr
		if old.address.Is4() {
			to = p.book.inventIPv4(strings.ToLower(f.Host), 2+i)
		} else {
			to = p.book.inventIPv6(strings.ToLower(f.Host))
		}
		moved := p.machine(to, old.operator)
		moved.sites, moved.tcp, moved.udp = old.sites, old.tcp, old.udp
		moved.dns, moved.trouble = old.dns, old.trouble
		old.trouble.refuses = true
		p.zone.renumber(old.address, to)
	}
	return nil
}

// lose takes a name out of DNS, honestly (gone) or by mistake (servfail).
func (p *plan) lose(f Fault) error {
	if p.zone.addresses(f.Host) == nil {
		return f.wrong("no such host")
	}
	if f.Kind == FaultServfail {
		p.zone.broken[strings.ToLower(f.Host)] = true
		return nil
	}
	p.zone.remove(f.Host)
	p.zone.settle()
	return nil
}

// filter puts a name on the household's own list.
func (p *plan) filter(f Fault) error {
	router := p.machines[homeRouter]
	if router == nil {
		return f.wrong("there is no home router")
	}
	if router.dns.filtered == nil {
		router.dns.filtered = make(map[string]bool)
	}
	router.dns.filtered[strings.ToLower(f.Host)] = true
	return nil
}

// trouble gives the ISP's resolver a trouble of its own with a name: it keeps an older denial (RFC 2308), say.
func (p *plan) trouble(f Fault) error {
	for _, m := range p.machines {
		if m.near && m.dns != nil && m.address != homeRouter {
			if m.dns.troubles == nil {
				m.dns.troubles = make(map[string]FaultKind)
			}
			m.dns.troubles[strings.ToLower(f.Host)] = f.Kind
		}
	}
	return nil
}

func (f Fault) wrong(why string) error {
	where := f.Host
	if f.Address.IsValid() {
		where = strings.TrimSpace(where + " " + f.Address.String())
	}
	return fmt.Errorf("netlab: fault %q of %q: %s", f.Kind, where, why)
}
