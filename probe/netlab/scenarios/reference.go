package scenarios

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/reference"
	"github.com/telltale-probe/telltale/measurements/web"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// Reference is a second telltale in a scenario (control R). It stands in an internet of its own: with
// the same hosts and the same trouble at them, and without the censor. It makes a round before each of
// the volunteer's, with the program's own steps and rules, and signs what it found.
type Reference struct {
	// Answer is what becomes of its answer on the way: see the constants.
	Answer string `toml:"answer"`
	// Apart: the scenario's faults are not those of its internet: the volunteer is sent to other machines.
	Apart bool `toml:"apart"`
	// Helper is what becomes of the helper that it announces (control X): see the constants. "" is none.
	Helper string `toml:"helper"`
	// Faults are there in its internet alone.
	Faults []netlab.Fault `toml:"fault"`
}

// What becomes of the reference's answer.
const (
	answerFresh     = "fresh"     // it arrives
	answerStale     = "stale"     // it is two hours old
	answerFuture    = "future"    // its clock is ten minutes ahead
	answerUnsigned  = "unsigned"  // without a signature
	answerOtherKey  = "other-key" // signed by somebody else
	answerTruncated = "truncated" // half of it
	answerLarge     = "large"     // and a MiB behind it
	answerMissing   = "missing"   // 404
)

// What becomes of the helper.
const (
	helperUp       = "up"        // it answers
	helperDown     = "down"      // nothing is at its address
	helperOtherKey = "other-key" // somebody else answers in its place
	helperFull     = "full"      // it hangs up on everybody
)

// helperHost is a name for faults and addresses; nobody resolves it.
const helperHost = "helper.example.org"

// referenceHost is where it answers: a name that no catalogue has (RFC 2606, section 2).
const referenceHost = "reference.example.org"

// outside is the reference vantage of a running scenario.
type outside struct {
	setting Reference
	world   *netlab.World
	plan    *probe.Plan
	key     ed25519.PrivateKey
	history measurements.History
	body    []byte
	helper  *reference.AnyName // nil: none
	address []string           // of the helper, in the volunteer's internet
}

// outside builds the reference's internet; nil where the scenario has none.
func (l *Lab) outside(s *Scenario, apps []probe.App) (*outside, error) {
	if s.Reference.Answer == "" {
		return nil, nil
	}
	faults := s.Reference.Faults
	if !s.Reference.Apart {
		faults = append(l.faults(s), faults...)
	}
	world, err := netlab.New(netlab.Options{Apps: apps, Controls: l.Controls, Trusted: l.Trusted, Seed: 2, Faults: faults, OtherHosts: []netlab.OtherHost{{Name: referenceHost, Path: web.ReferencePath, Serve: http.NotFound}}})
	if err != nil {
		return nil, err
	}
	plan, err := l.plan(&Scenario{Volume: s.Volume}, apps, world)
	if err != nil {
		_ = world.Close()
		return nil, err
	}
	plan.Without, plan.Ledger = nil, schedule.NewLedger(0)
	seed := bytes.Repeat([]byte{1}, ed25519.SeedSize) // the emulation's only secret
	o := &outside{setting: s.Reference, world: world, plan: plan, key: ed25519.NewKeyFromSeed(seed)}
	if s.Reference.Helper != "" {
		if o.helper, err = reference.NewAnyName(); err != nil {
			_ = world.Close()
			return nil, err
		}
	}
	return o, nil
}

// hosts are what stands of it in the volunteer's internet, and what is wrong there.
func (o *outside) hosts() ([]netlab.OtherHost, []netlab.Fault, error) {
	out := []netlab.OtherHost{{Name: referenceHost, Path: web.ReferencePath, Serve: o.serve}}
	if o.helper == nil {
		return out, nil, nil
	}
	var faults []netlab.Fault
	h := netlab.OtherHost{Name: helperHost, Streams: o.helper.ServeTLS, Packets: o.helper.ServeQUIC}
	switch o.setting.Helper {
	case helperUp:
	case helperDown:
		faults = append(faults, netlab.Fault{Kind: netlab.FaultDown, Host: helperHost})
	case helperOtherKey:
		other, err := reference.NewAnyName()
		if err != nil {
			return nil, nil, err
		}
		h.Streams, h.Packets = other.ServeTLS, other.ServeQUIC
	case helperFull:
		h.Streams, h.Packets = hangUp, discard
	default:
		return nil, nil, fmt.Errorf("reference.helper: no such word: %q", o.setting.Helper)
	}
	return append(out, h), faults, nil
}

// announce says where the helper stands: one address of each family.
func (o *outside) announce(at []netip.Addr) {
	seen := map[bool]bool{}
	for _, a := range at {
		if !seen[a.Is4()] {
			seen[a.Is4()] = true
			o.address = append(o.address, netip.AddrPortFrom(a, 443).String())
		}
	}
}

// hangUp accepts and closes, as a helper does that has too much to do.
func hangUp(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	for {
		c, err := l.Accept()
		if err != nil {
			return nil
		}
		_ = c.Close()
	}
}

func discard(ctx context.Context, c net.PacketConn) error {
	<-ctx.Done()
	return c.Close()
}

// serve answers as the reference's web server does, from the volunteer's internet.
func (o *outside) serve(w http.ResponseWriter, r *http.Request) {
	if o.setting.Answer == answerMissing {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(o.body)
}

// ask is how the volunteer is configured.
func (o *outside) ask() *probe.Reference {
	return &probe.Reference{URL: "https://" + referenceHost + web.ReferencePath, PublicKey: o.key.Public().(ed25519.PublicKey)}
}

// round has the reference measure, and makes of its answer what the scenario wants.
func (o *outside) round() error {
	round := o.plan.Run(context.Background())
	verdict := measurements.Judge(&round, &o.history)
	o.history.Learn(&round, &verdict)
	answer, ok := reference.Of(&round, &verdict)
	if !ok {
		return fmt.Errorf("the reference's own line is %s", verdict.Network.State)
	}
	key := o.key
	if o.helper != nil {
		answer.Helper = &reference.Helper{Addresses: o.address, Key: o.helper.Key()}
	}
	switch o.setting.Answer {
	case answerFuture:
		answer.Time = answer.Time.Add(10 * time.Minute)
	case answerOtherKey:
		key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))
	}
	body, err := reference.Sign(&answer, key)
	if err != nil {
		return err
	}
	switch o.setting.Answer {
	case answerFresh, answerFuture, answerOtherKey, answerMissing:
	case answerStale:
		time.Sleep(2 * time.Hour)
	case answerUnsigned:
		body, err = unsigned(body)
	case answerTruncated:
		body = body[:len(body)/2]
	case answerLarge:
		body = append(body, bytes.Repeat([]byte{' '}, reference.MaxBytes)...)
	default:
		return fmt.Errorf("reference.answer: no such word: %q", o.setting.Answer)
	}
	o.body = body
	return err
}

func unsigned(body []byte) ([]byte, error) {
	var parts map[string]string
	if err := json.Unmarshal(body, &parts); err != nil {
		return nil, err
	}
	delete(parts, "signature")
	return json.Marshal(parts)
}
