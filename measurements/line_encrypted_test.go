package measurements

import "testing"

// atResolver is what the gate's record has of one public resolver: hellos with a neutral name and with its own, where
// the first was answered, and else plain DNS.
func atResolver(address, port string, neutral, own Failure, heard int64, plain string) []Observation {
	at := address + ":" + port
	out := []Observation{
		{Target: resolverTarget, Control: N, Operation: Connect, Family: IPv4, Endpoint: at},
		{Target: resolverTarget, Control: N, Operation: TLSHandshake, Family: IPv4, Endpoint: at, Failure: neutral},
	}
	if out[1].answered() {
		out = append(out, Observation{Target: resolverTarget, Control: D, Operation: TLSHandshake, Family: IPv4, Endpoint: at, Name: "dns.example", Failure: own, Sent: 300, Received: heard})
	}
	if plain != "" {
		p := Observation{Target: resolverTarget, Control: P, Operation: Resolve, Family: IPv4, Endpoint: address + ":53", DNS: &DNS{Resolver: "tcp://" + address + ":53", Transport: "tcp"}}
		if plain != "answered" {
			p.Failure = Timeout
		}
		out = append(out, p)
	}
	return out
}

// Encrypted DNS is filtered where two signs say so; what one ill server does, or a router that closes a port, or who
// resets neutral hosts as well, is not that.
func TestEncryptedDNS(t *testing.T) {
	t.Parallel()
	const one, other = "198.51.100.1", "203.0.113.1"
	well := atResolver(other, "443", SSLInvalidHostname, "", 3000, "")
	for what, test := range map[string]struct {
		seen     [][]Observation
		dead     bool // the line
		gate     Failure
		caprice  bool
		filtered bool
	}{
		"both answer":                         {seen: [][]Observation{atResolver(one, "443", SSLInvalidHostname, "", 3000, ""), well}},
		"one name is reset":                   {seen: [][]Observation{atResolver(one, "443", SSLInvalidHostname, ConnectionReset, 0, ""), well}},
		"and was in the gate":                 {seen: [][]Observation{atResolver(one, "443", SSLInvalidHostname, ConnectionReset, 0, ""), well}, gate: ConnectionReset, filtered: true},
		"one is silent, as in the gate":       {seen: [][]Observation{atResolver(one, "443", SSLInvalidHostname, Timeout, 0, ""), well}, gate: Timeout},
		"two names are reset":                 {seen: [][]Observation{atResolver(one, "443", SSLInvalidHostname, ConnectionReset, 0, ""), atResolver(other, "443", SSLInvalidHostname, ConnectionReset, 0, "")}, filtered: true},
		"as neutral hosts are":                {seen: [][]Observation{atResolver(one, "443", SSLInvalidHostname, ConnectionReset, 0, ""), atResolver(other, "443", SSLInvalidHostname, ConnectionReset, 0, "")}, caprice: true},
		"and the line is dead":                {seen: [][]Observation{atResolver(one, "443", SSLInvalidHostname, ConnectionReset, 0, ""), atResolver(other, "443", SSLInvalidHostname, ConnectionReset, 0, "")}, dead: true},
		"one is reset after its answer":       {seen: [][]Observation{atResolver(one, "443", SSLInvalidHostname, ConnectionReset, 3000, ""), well}},
		"one name is silent":                  {seen: [][]Observation{atResolver(one, "443", SSLInvalidHostname, Timeout, 0, ""), well}},
		"two names are silent":                {seen: [][]Observation{atResolver(one, "443", SSLInvalidHostname, Timeout, 0, ""), atResolver(other, "443", SSLInvalidHostname, Timeout, 0, "")}, filtered: true},
		"two hang after the handshake":        {seen: [][]Observation{atResolver(one, "443", SSLInvalidHostname, Timeout, 3000, ""), atResolver(other, "443", SSLInvalidHostname, Timeout, 3000, "")}},
		"two certificates have expired":       {seen: [][]Observation{atResolver(one, "443", SSLInvalidCertificate, SSLInvalidCertificate, 3000, ""), atResolver(other, "443", SSLInvalidCertificate, SSLInvalidCertificate, 3000, "")}},
		"one is silent for all, plain passes": {seen: [][]Observation{atResolver(one, "443", Timeout, "", 0, "answered"), well}},
		"two are, plain passes":               {seen: [][]Observation{atResolver(one, "443", Timeout, "", 0, "answered"), atResolver(other, "443", Timeout, "", 0, "answered")}, filtered: true},
		"two are, and plain is not answered":  {seen: [][]Observation{atResolver(one, "443", Timeout, "", 0, "silent"), atResolver(other, "443", Timeout, "", 0, "silent")}},
		"port 853 is closed, plain passes":    {seen: [][]Observation{atResolver(one, "853", Timeout, "", 0, "answered"), atResolver(other, "853", Timeout, "", 0, "answered")}},
		"names are reset at port 853":         {seen: [][]Observation{atResolver(one, "853", SSLInvalidHostname, ConnectionReset, 0, ""), atResolver(other, "853", SSLInvalidHostname, ConnectionReset, 0, "")}, filtered: true},
		"one by name, one by address":         {seen: [][]Observation{atResolver(one, "443", SSLInvalidHostname, Timeout, 0, ""), atResolver(other, "443", ConnectionReset, "", 0, "answered")}, filtered: true},
	} {
		var seen []*Observation
		for _, s := range test.seen {
			for i := range s {
				seen = append(seen, &s[i])
			}
		}
		gate := &Measurement{Observations: []Observation{{Operation: TLSHandshake, Name: "dns.example", Failure: test.gate}}}
		l := &Line{Alive: map[Family]bool{IPv4: !test.dead}}
		if test.caprice {
			l.caprices = map[caprice]int{{kind: "reset"}: 1}
		}
		if l.readEncrypted(gate, seen); (l.Encrypted != "") != test.filtered {
			t.Errorf("%s: %q", what, l.Encrypted)
		}
	}
}
