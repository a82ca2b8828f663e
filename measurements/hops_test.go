package measurements

import "testing"

func TestScopeOfAScan(t *testing.T) {
	for name, test := range map[string]struct {
		scan HopScan
		want string
	}{
		"nothing died":                {HopScan{Home: 1, Server: 9}, ScopeUnknown},
		"routers at home keep silent": {HopScan{Dies: 4, Server: 9}, ScopeUnknown},
		"in the home's router":        {HopScan{Dies: 1, Home: 1, Server: 9}, ScopeHome},
		"behind two routers at home":  {HopScan{Dies: 2, Home: 2, Server: 9}, ScopeHome},
		"at the border of the home":   {HopScan{Dies: 2, Home: 1, Server: 9}, ScopeUnknown},
		"at the provider":             {HopScan{Dies: 4, Home: 1, Server: 12}, ScopeAccess},
		"behind a carrier's NAT":      {HopScan{Dies: 7, Home: 1, Access: 5, Server: 12}, ScopeAccess},
		"far away":                    {HopScan{Dies: 8, Home: 1, Server: 12}, ScopeBeyond},
		"at the server":               {HopScan{Dies: 12, Home: 1, Server: 12}, ScopeUnknown},
		"beyond, the server is mute":  {HopScan{Dies: 8, Home: 1}, ScopeBeyond},
	} {
		if got := test.scan.Scope(); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// A scan speaks for blocked handshakes of its own target and family, and for nothing else.
func TestScopeOfAVerdict(t *testing.T) {
	v := &view{m: &Measurement{Hops: []HopScan{{Target: "chat", Family: IPv4, Dies: 4, Home: 1, Server: 12}}}}
	blocked := LayerVerdict{Layer: LayerTLS, Family: IPv4, State: Blocked, Scope: ScopeUnknown}
	v6, ok, http := blocked, blocked, blocked
	v6.Family, ok.State, http.Layer = IPv6, OK, LayerHTTP
	layers := []LayerVerdict{blocked, v6, ok, http}
	v.locate("media", layers)
	if layers[0].Scope != ScopeUnknown {
		t.Error("another target's scan speaks")
	}
	v.locate("chat", layers)
	for i, want := range []string{ScopeAccess, ScopeUnknown, ScopeUnknown, ScopeUnknown} {
		if layers[i].Scope != want {
			t.Errorf("%d: %s, want %s", i, layers[i].Scope, want)
		}
	}
}
