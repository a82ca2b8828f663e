package measurements

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Bounds of a measurement. Chosen by us: the largest of the built-in catalogue has about 200
// observations in a round, and rules compare observations with each other, so that their time grows with
// the square of the count, and with the cube of the transfers'.
const (
	mostObservations = 2048
	mostTransfers    = 256
	mostTargets      = 256
	mostHops         = 256
	mostSkips        = 8192
	mostReference    = 8192    // names, layers, transfers, endpoints, addresses and keys together
	mostID           = 256     // bytes of an app's, a target's or an epoch's name; a host name has at most 253
	mostExtended     = 16      // a resolver has hardly more than one reason for a failure
	mostCount        = 1 << 40 // bytes, or anything else that is counted
	longest          = 30 * 24 * time.Hour
	farthestClock    = 100 * 366 * 24 * time.Hour // a machine without a battery begins in 1970
)

// The words that a measurement may use, beside those of Layers. Evidence in other words is of a later
// version, or of nobody: to judge it without what it says would be to overlook a control.
var (
	operations = []Operation{Resolve, Connect, Settle, TLSHandshake, HTTPExchange, QUICHandshake, QUICVersion, AppHandshake, Transfer}
	controls   = []Control{T, N, X, D, V, P, F, R}
	families   = []Family{IPv4, IPv6}
	origins    = []Origin{FromSystem, FromTrusted, FromCatalogue, FromHelper}
	shapes     = []Shape{Small, Default, Old}
	pins       = []string{"loopback", "private", "public"}
	furthers   = []string{AskedAgain, AskedUnchecked, AskedPatiently}
	chainRoots = []string{RootBundle, RootExtra, RootTarget, RootSystem, RootNone}
	endings    = []string{EndedComplete, EndedByBytes, EndedByTime, EndedByStall, EndedByFailure}
)

// Check says what in a measurement can't come from a round: words that this version does not know,
// counts below zero or out of bounds, steps of targets that are not there. The error names the key.
//
// A file may be anybody's. What passes can be judged, without harm and in bounded time; it may still be
// a lie, and nothing here can tell.
func (m *Measurement) Check() error {
	switch {
	case m.App == "":
		return fmt.Errorf("app is empty")
	case len(m.App) > mostID, len(m.Round) > mostID, len(m.ID) > mostID, len(m.Vantage.Epoch) > mostID:
		return fmt.Errorf("app, round, id or epoch has more than %d bytes", mostID)
	}
	if err := inTime("runtime", m.Runtime); err != nil {
		return err
	}
	if m.ClockOffset != nil && time.Duration(*m.ClockOffset).Abs() > farthestClock {
		return fmt.Errorf("clock_offset of %v is out of bounds", time.Duration(*m.ClockOffset))
	}
	for _, list := range []struct {
		key       string
		has, most int
	}{
		{"targets", len(m.Targets), mostTargets}, {"observations", len(m.Observations), mostObservations},
		{"skipped", len(m.Skipped), mostSkips}, {"hops", len(m.Hops), mostHops}, {"reference", m.Reference.size(), mostReference},
	} {
		if list.has > list.most {
			return fmt.Errorf("%s has %d entries, more than %d", list.key, list.has, list.most)
		}
	}
	known, err := m.targetIDs()
	if err != nil {
		return err
	}
	if m.App == ControlApp {
		known = nil // the gate looks at resolvers as well, which are no targets
	}
	transfers := 0
	for i := range m.Observations {
		o := &m.Observations[i]
		if err := o.check(known); err != nil {
			return fmt.Errorf("observations[%d]%w", i, err)
		}
		if o.Operation == Transfer {
			transfers++
		}
	}
	if transfers > mostTransfers {
		return fmt.Errorf("observations has %d transfers, more than %d", transfers, mostTransfers)
	}
	return m.checkRest()
}

func (m *Measurement) targetIDs() (map[string]bool, error) {
	known := map[string]bool{}
	for i := range m.Targets {
		id := m.Targets[i].ID
		switch {
		case id == "" || len(id) > mostID:
			return nil, fmt.Errorf("targets[%d].id is empty, or has more than %d bytes", i, mostID)
		case known[id]:
			return nil, fmt.Errorf("targets[%d].id %q stands twice", i, id)
		}
		known[id] = true
	}
	return known, nil
}

// checkRest looks at what is beside the observations.
func (m *Measurement) checkRest() error {
	for i := range m.Skipped {
		s := &m.Skipped[i]
		if err := firstOf(word(".layer", s.Layer, Layers), word(".ip_family", s.Family, families)); err != nil {
			return fmt.Errorf("skipped[%d]%w", i, err)
		}
	}
	for i := range m.Hops {
		h := &m.Hops[i]
		if err := firstOf(word(".ip_family", h.Family, families), count(".dies", h.Dies), count(".server", h.Server), count(".home", h.Home), count(".access", h.Access)); err != nil {
			return fmt.Errorf("hops[%d]%w", i, err)
		}
	}
	return nil
}

// size counts what rules may have to look through.
func (r *Reference) size() (n int) {
	if r == nil {
		return 0
	}
	for i := range r.Targets {
		t := &r.Targets[i]
		n += 1 + len(t.Names) + len(t.Layers) + len(t.Transfers)
		for j := range t.Names {
			n += len(t.Names[j].Addresses)
		}
		for j := range t.Layers {
			for k := range t.Layers[j].Endpoints {
				n += 1 + len(t.Layers[j].Endpoints[k].Keys)
			}
		}
	}
	return n
}

func (o *Observation) check(targets map[string]bool) error {
	switch {
	case targets != nil && !targets[o.Target]:
		return fmt.Errorf(".target %.64q is none of the targets", o.Target)
	case !slices.Contains(operations, o.Operation):
		return fmt.Errorf(".operation %.64q is no word of this version", o.Operation)
	case o.Operation == Resolve && o.DNS == nil, o.Operation == Transfer && o.Transfer == nil, o.Operation == AppHandshake && o.App == nil:
		return fmt.Errorf(" is a %s and does not say what it saw", o.Operation)
	case o.DNS != nil && (o.DNS.Behind || o.DNS.Further != "") && (o.Control != D || o.DNS.Resolver != SystemResolver):
		return fmt.Errorf(".dns.behind or .dns.further is of no step but control D at the system's resolver")
	}
	return firstOf(
		word(".control", o.Control, controls), word(".ip_family", o.Family, families), word(".origin", o.Origin, origins),
		o.checkEndpoint(), inTime(".duration", o.Duration),
		count(".trial", o.Trial), count(".conn", o.Conn), count(".sent", o.Sent), count(".received", o.Received),
		o.DNS.check(), o.TCP.check(), o.ICMP.check(), o.TLS.check(), o.HTTP.check(), o.Transfer.check(), o.App.check(),
	)
}

// checkEndpoint holds an endpoint against its family; a resolver's says nothing about the addresses that
// were asked for, and may be a URL.
func (o *Observation) checkEndpoint() error {
	if o.Operation == Resolve || o.Endpoint == "" {
		return nil
	}
	ap, err := netip.ParseAddrPort(o.Endpoint)
	if err != nil {
		return fmt.Errorf(".endpoint %.64q is no address with a port", o.Endpoint)
	}
	if o.Family != "" && o.Family != FamilyOf(ap.Addr()) {
		return fmt.Errorf(".ip_family is %s, and the endpoint is not", o.Family)
	}
	return nil
}

func (d *DNS) check() error {
	switch {
	case d == nil:
		return nil
	case d.Rcode < -1 || d.Rcode > 0xfff: // twelve bits with EDNS (RFC 6891, section 6.1.3)
		return fmt.Errorf(".dns.rcode %d is out of bounds", d.Rcode)
	case len(d.Extended) > mostExtended:
		return fmt.Errorf(".dns.extended_errors has %d entries, more than %d", len(d.Extended), mostExtended)
	}
	for i := range d.Late {
		if err := firstOf(inTime(".after", d.Late[i].After), hopLimit(d.Late[i].HopLimit)); err != nil {
			return fmt.Errorf(".dns.late[%d]%w", i, err)
		}
	}
	return firstOf(count(".dns.attempts", d.Attempts), hopLimit(d.HopLimit), word(".dns.pinned", d.Pinned, pins), word(".dns.further", d.Further, furthers))
}

// hopLimit is of eight bits (RFC 791, section 3.1; RFC 8200, section 3).
func hopLimit(n int) error {
	if n < 0 || n > 255 {
		return fmt.Errorf(".hop_limit %d is out of bounds", n)
	}
	return nil
}

func (t *TCPInfo) check() error {
	if t == nil {
		return nil
	}
	return firstOf(inTime(".tcp_info.rtt", t.RTT), inTime(".tcp_info.min_rtt", t.MinRTT))
}

func (t *TLS) check() error {
	if t == nil {
		return nil
	}
	return firstOf(word(".tls.shape", t.Shape, shapes), word(".tls.chain_root", t.ChainRoot, chainRoots))
}

func (h *HTTP) check() error {
	switch {
	case h == nil:
		return nil
	case h.Status < 0 || h.Status > 999: // three digits (RFC 9110, section 15)
		return fmt.Errorf(".http.status %d is out of bounds", h.Status)
	}
	if h.AppStatus < 0 || h.AppStatus > 999 {
		return fmt.Errorf(".http.app_status %d is out of bounds", h.AppStatus)
	}
	return count(".http.body_bytes", h.BodyBytes)
}

func (h *Handshake) check() error {
	switch {
	case h == nil:
		return nil
	case len(h.Arm) > mostID, len(h.Key) > mostID:
		return fmt.Errorf(".app.arm or .app.key has more than %d bytes", mostID)
	case len(h.FirstBytes) > mostFirstBytes:
		return fmt.Errorf(".app.first_bytes has more than %d bytes", mostFirstBytes)
	case !slices.Contains(protocols, h.Protocol):
		return fmt.Errorf(".app.protocol %.64q is no word of this version", h.Protocol)
	}
	return word(".app.proof", h.Proof, proofs)
}

func (b *Body) check() error {
	if b == nil {
		return nil
	}
	if b.Object < 0 || b.Object > mostTransfers {
		return fmt.Errorf(".transfer.object %d is none", b.Object)
	}
	return firstOf(count(".transfer.bytes", b.Bytes), inTime(".transfer.wait", b.Wait), inTime(".transfer.active", b.Active), word(".transfer.ended", b.Ended, endings))
}

// word refuses what is not in a closed list; "" is what was not said.
func word[W ~string](key string, w W, list []W) error {
	if w == "" || slices.Contains(list, w) {
		return nil
	}
	return fmt.Errorf("%s %.64q is no word of this version", key, w)
}

func count[N int | int64](key string, n N) error {
	if n < 0 || int64(n) > mostCount {
		return fmt.Errorf("%s %d is out of bounds", key, n)
	}
	return nil
}

func inTime(key string, s Seconds) error {
	if s < 0 || time.Duration(s) > longest {
		return fmt.Errorf("%s of %v is out of bounds", key, time.Duration(s))
	}
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
