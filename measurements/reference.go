package measurements

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"time"
)

// Reference is what the reference vantage (control R) says of one app: a telltale elsewhere that
// measures the same targets. It is part of the measurement, so that old evidence can be judged again
// without asking anybody. Its signature was verified when it was taken in (package reference).
//
// R tells an outage from a block: what fails for both is down. It is no judge of names: where R finds
// a block itself, it says so and is no witness.
type Reference struct {
	// None says why R does not speak; "" where it does.
	None string `json:"none,omitempty"`
	// At is when R's round began: each of its steps was made later.
	At      time.Time         `json:"at,omitzero"`
	Targets []ReferenceTarget `json:"targets,omitempty"`
}

// ReferenceTarget is R's word on one target: what it measured, and nothing else.
type ReferenceTarget struct {
	Target string           `json:"target"`
	Names  []ReferenceName  `json:"names,omitempty"`
	Layers []ReferenceLayer `json:"layers,omitempty"`
	// Transfers are its last ones, of this round or of earlier ones.
	Transfers []ReferenceTransfer `json:"transfers,omitempty"`
}

// ReferenceName is what R's resolver says of a name in one family.
type ReferenceName struct {
	Name      string   `json:"name"`
	Family    Family   `json:"ip_family"`
	Failure   Failure  `json:"failure,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
}

// ReferenceLayer is a layer of a target in one family: "ok" where it passes at one endpoint or more,
// "blocked" where R finds a block itself, "down" where it fails at every endpoint that R measured.
type ReferenceLayer struct {
	Layer     Layer               `json:"layer"`
	Family    Family              `json:"ip_family"`
	State     State               `json:"state"`
	Endpoints []ReferenceEndpoint `json:"endpoints"`
}

// ReferenceEndpoint is what R met at one endpoint.
type ReferenceEndpoint struct {
	Endpoint string  `json:"endpoint"`          // "ip:port"
	Name     string  `json:"name,omitempty"`    // of the hello or the request; "" in TCP, which carries none
	Failure  Failure `json:"failure,omitempty"` // "" where it passed
	// Neutral is what control N met there: a failure, or "ok"; "" where none was made.
	Neutral string `json:"neutral,omitempty"`
	// Keys are the leaf's public keys that were seen there (KeyOf).
	Keys []string `json:"keys,omitempty"`
}

const (
	// ReferenceMaxAge is how old R's round may be to be taken for the present. Chosen by us: four rounds of
	// the default interval, so that the odd long pause of a reference (one in fifty of an exponential
	// schedule) does not silence it. What may have changed meanwhile is weighed by the rules: R's "up" from
	// before our failure began is worth a suspicion and no more.
	ReferenceMaxAge = time.Hour
	// ReferenceMaxAhead is how far ahead of ours R's clock may be: the drift of a machine that asks the
	// time rarely. Chosen by us, as Kerberos did (RFC 4120, section 8.2, suggests five minutes).
	ReferenceMaxAhead = 5 * time.Minute
)

// KeyOf names the public key of a certificate: base64 of the SHA-256 of its SubjectPublicKeyInfo, as
// HTTP pinned keys (RFC 7469, section 2.4). "" for what is no certificate.
func KeyOf(der []byte) string {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// speaks says whether R may be heard about a measurement that began at a time. Evidence may have been
// edited: what was checked when the answer came is checked again.
func (r *Reference) speaks(at time.Time) bool {
	return r != nil && r.None == "" && !r.At.IsZero() && at.Sub(r.At) <= ReferenceMaxAge && r.At.Sub(at) <= ReferenceMaxAhead
}

// reference gives R's word on a target; nil where R does not speak, or did not measure it.
func (v *view) reference(target string) *ReferenceTarget {
	r := v.m.Reference
	if !r.speaks(v.m.Started) {
		return nil
	}
	for i := range r.Targets {
		if r.Targets[i].Target == target {
			return &r.Targets[i]
		}
	}
	return nil
}

// reference gives R's word on the case's layer and family; nil where there is none.
func (c *Case) reference() *ReferenceLayer {
	t := c.view.reference(c.Target.ID)
	if t == nil {
		return nil
	}
	for i := range t.Layers {
		if l := &t.Layers[i]; l.Layer == c.Layer && l.Family == c.Family && len(l.Endpoints) > 0 {
			return l
		}
	}
	return nil
}

// at gives what R met at the case's own endpoint, with the case's own name.
func (l *ReferenceLayer) at(c *Case) *ReferenceEndpoint {
	for i := range l.Endpoints {
		if e := &l.Endpoints[i]; e.Endpoint == c.Endpoint && (c.Layer == LayerTCP || e.Name == c.Name) {
			return e
		}
	}
	return nil
}

// UpAtReference says whether R passes where the case failed: at the same endpoint. Of a target that is
// addresses alone, which everybody has from the catalogue, R may have measured others than we did: they
// speak for it where all of ours fail.
func (c *Case) UpAtReference() bool {
	l := c.reference()
	if l == nil {
		return false
	}
	if e := l.at(c); e != nil {
		return e.Failure == ""
	}
	return len(c.Target.Hosts) == 0 && l.State == OK && c.failsEverywhere()
}

// FailsAtReference says whether R fails there as well: at the same endpoint, or, where R does not know
// it, at all that it measured.
func (c *Case) FailsAtReference() bool {
	l := c.reference()
	if l == nil {
		return false
	}
	if e := l.at(c); e != nil {
		return e.Failure != ""
	}
	return l.State != OK
}

// failsEverywhere says whether the layer failed at every endpoint of the target in this family.
func (c *Case) failsEverywhere() bool {
	for _, d := range c.all {
		if d.Target.ID == c.Target.ID && d.Layer == c.Layer && d.Family == c.Family && !d.Failed() {
			return false
		}
	}
	return true
}

// SameKeyAtReference says whether R met the very key that was shown here, at any endpoint of the
// target: an interception would have to own it.
func (c *Case) SameKeyAtReference() bool {
	l := c.reference()
	if l == nil || c.T.TLS == nil || len(c.T.TLS.Chain) == 0 {
		return false
	}
	key := KeyOf(c.T.TLS.Chain[0])
	for _, e := range l.Endpoints {
		for _, k := range e.Keys {
			if k == key && key != "" {
				return true
			}
		}
	}
	return false
}

// referenceSays is what R's resolver says of the case's name; nil where it was not asked.
func (c *Case) referenceSays() *ReferenceName {
	t := c.view.reference(c.Target.ID)
	if t == nil {
		return nil
	}
	for i := range t.Names {
		if n := &t.Names[i]; n.Name == c.Name && n.Family == c.Family {
			return n
		}
	}
	return nil
}

// resolvesAtReference says whether R's resolver has an address for the case's name.
func (c *Case) resolvesAtReference() bool {
	n := c.referenceSays()
	return n != nil && n.Failure == "" && len(n.Addresses) > 0
}

// saidSince says whether R's round began after the finding was first made here, without a success of
// ours since: R then passed while we failed. What R said before may be an outage younger than its word.
func (c *Case) saidSince(s Signature) bool {
	first, known := c.view.history.failingSince(seriesKey(c.view.m.App, c.Target.ID, c.Layer, c.Family, s))
	return known && c.view.m.Reference.At.After(first)
}

// failingSince is when the finding was first made in the run of failures that still goes on.
func (p *past) failingSince(id seriesID) (time.Time, bool) {
	if p == nil || p.places[id.placeKey] == nil {
		return time.Time{}, false
	}
	for _, s := range p.places[id.placeKey].Open {
		if s.Signature == id.signature && !s.Run.IsZero() {
			return s.Run, true
		}
	}
	return time.Time{}, false
}
