package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/config/catalogue"
	"github.com/telltale-probe/telltale/probe"
)

// countries are those for which there are domestic hosts.
var countries = []string{"AZ", "BD", "BR", "BY", "CN", "CU", "EG", "ET", "ID", "IN", "IQ", "IR", "KZ", "MM", "PK", "RU", "TM", "TR", "UG", "UZ", "VE", "VN"}

func domestic(t *testing.T, country string) (out []probe.Control) {
	t.Helper()
	c, err := config.Parse("f", []byte("[vantage]\ncountry = \""+country+"\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Controls {
		if n.Scope == "domestic" {
			out = append(out, n)
		}
	}
	if abroad := len(c.Controls) - len(out); abroad != len(config.Default().Controls) {
		t.Errorf("%s: %d hosts abroad", country, abroad)
	}
	return out
}

// A vantage is given its own country's hosts and no other's: of two operators at least, none of them measured as
// an app, a placebo or a host abroad as well.
func TestDomesticHosts(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range config.Default().Controls {
		seen[n.Host] = true
	}
	for _, app := range append(config.Default().Apps, append(config.More(), config.Default().Placebo)...) {
		for _, target := range app.Targets {
			for _, host := range target.Hosts {
				seen[host] = true
			}
		}
	}
	total := strings.Count(read(t, "domestic.toml"), "[[control]]")
	for _, country := range countries {
		hosts := domestic(t, country)
		operators := map[string]bool{}
		total -= len(hosts)
		for _, n := range hosts {
			operators[n.Operator] = true
			if n.Country != country || seen[n.Host] || !catalogue.ValidHost(n.Host) || len(n.Addresses) > 0 || !slices.Equal(n.Probes, []probe.Probe{probe.ProbeHTTPS}) {
				t.Errorf("%s: %+v", country, n)
			}
			seen[n.Host] = true
		}
		if len(operators) < 2 || len(operators) != len(hosts) || len(hosts) > 4 {
			t.Errorf("%s: %d hosts of %d operators", country, len(hosts), len(operators))
		}
	}
	if total != 0 {
		t.Errorf("%d hosts are of countries that are not looked at here", total)
	}
}

// Who does not say where he is, or is where we know nobody, has none; nor has who brings his own gate.
func TestNoDomesticHosts(t *testing.T) {
	for _, country := range []string{"ZZ", "XA"} {
		if hosts := domestic(t, country); len(hosts) > 0 {
			t.Errorf("%s: %+v", country, hosts)
		}
	}
	c, err := config.Parse("f", []byte("[vantage]\ncountry = \"IR\"\n[[control]]\nhost = \"www.example.com\"\noperator = \"IANA\"\n"))
	if err != nil || len(c.Controls) != 1 {
		t.Errorf("%v: %+v", err, c)
	}
}
