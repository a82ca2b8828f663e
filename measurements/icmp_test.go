package measurements

import "testing"

// What is prohibited is somebody's will, that there is no way is routing; and a closed port is the server's to say.
// Nobody's word is evidence from the path but that of a router on it; where nobody tells, the time alone is none.
func TestWhatICMPMeans(t *testing.T) {
	icmp := func(kind, code int, sender string) *ICMPError {
		return &ICMPError{Type: kind, Code: code, Sender: sender}
	}
	for _, c := range []struct {
		name    string
		said    *ICMPError
		failure Failure
		state   State
	}{
		{"net prohibited", icmp(3, 9, ICMPPath), NetworkUnreach, Blocked},
		{"host prohibited", icmp(3, 10, ICMPPath), HostUnreachable, Blocked},
		{"administratively prohibited", icmp(3, 13, ICMPPath), HostUnreachable, Blocked},
		{"prohibited over IPv6", icmp(1, 1, ICMPPath), PermissionDenied, Blocked},
		{"source address failed policy", icmp(1, 5, ICMPPath), PermissionDenied, Blocked},
		{"reject route", icmp(1, 6, ICMPPath), PermissionDenied, Blocked},
		{"the port is closed, a router says", icmp(3, 3, ICMPPath), ConnectionRefused, Blocked},
		{"the same over IPv6", icmp(1, 4, ICMPPath), ConnectionRefused, Blocked},
		{"the port is closed, the server says", icmp(3, 3, ICMPServer), ConnectionRefused, Inconclusive},
		{"net unreachable", icmp(3, 0, ICMPPath), NetworkUnreach, Inconclusive},
		{"host unreachable", icmp(3, 1, ICMPPath), HostUnreachable, Inconclusive},
		{"no route over IPv6", icmp(1, 0, ICMPPath), NetworkUnreach, Inconclusive},
		{"address unreachable over IPv6", icmp(1, 3, ICMPPath), HostUnreachable, Inconclusive},
		{"prohibited by the server", icmp(3, 13, ICMPServer), HostUnreachable, Inconclusive},
		{"prohibited at home", icmp(3, 13, ICMPHome), HostUnreachable, Inconclusive},
		{"prohibited by a private address", icmp(3, 13, ICMPPrivate), HostUnreachable, Inconclusive},
		{"nobody tells", nil, HostUnreachable, Inconclusive},
	} {
		o := met(Connect, here, c.failure)
		o.ICMP, o.Duration = c.said, 1 // at once: the history knows a server that is far away
		var h History
		before := heard(morning, nil, Observation{Target: "web", Operation: Connect, Family: IPv4, Endpoint: here, Duration: Seconds(1 << 30)})
		v := Judge(before, &h)
		h.Learn(before, &v)
		got := layerVerdict(t, heard(morning.Add(1<<42), nil, o), &h, "web", LayerTCP)
		if got.State != c.state || c.state == Blocked && got.Confidence != Likely {
			t.Errorf("%s: %s %s (%q), want %s", c.name, got.State, got.Confidence, got.Reasons, c.state)
		}
		if err := c.said.check(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, bad := range []*ICMPError{icmp(-1, 0, ICMPPath), icmp(3, 256, ICMPPath), icmp(3, 0, "192.0.2.1")} {
		if bad.check() == nil {
			t.Errorf("%+v passes", bad)
		}
	}
}
