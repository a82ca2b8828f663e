package probe

import (
	"testing"
	"time"
)

func TestOffersH3(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		fields []string
		want   bool
	}{
		{"none", nil, false},
		{"plain", []string{`h3=":443"; ma=86400`}, true},
		{"among others", []string{`h2=":443", h3-29=":443"; ma=3600, h3=":443"; ma="60"; persist=1`}, true},
		{"in a second field", []string{"clear", `h3=":443"`}, true},
		{"percent-encoded", []string{`%68%33=":443"`}, true},
		{"named by its own name", []string{`h3="WWW.example.com:443"`}, true},
		{"at our port", []string{`h3=":8443"`}, true},

		{"clear", []string{"clear"}, false},
		{"a draft", []string{`h3-29=":443"`}, false},
		{"on another host", []string{`h3="alt.example.net:443"`}, false},
		{"on another port", []string{`h3=":50781"`}, false},
		{"inside a quoted string", []string{`h2="a, h3=\":443\""`}, false},
		{"not quoted", []string{`h3=:443`}, false},
		{"cut short", []string{`h3="`}, false},
		{"no port", []string{`h3=""`}, false},
	} {
		if got := readAltSvc(c.fields, "www.example.com", 8443).h3 != 0; got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}

// longestAge is the largest number of seconds that is read.
const longestAge = (1<<31 - 1) * time.Second

func TestAgeOfAnOffer(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]altSvc{
		`h3=":443"; ma=60`:                     {true, 443, time.Minute},
		`h2=":443"; ma=5, h3=":8443"; ma="60"`: {true, 8443, time.Minute},
		`h3=":443"; persist=1;MA=60`:           {true, 443, time.Minute},
		`h3=":443"`:                            {true, 443, 24 * time.Hour},
		`h3=":443"; ma=-1`:                     {true, 443, 24 * time.Hour},
		`h3=":443"; ma=99999999999999999999`:   {true, 443, 24 * time.Hour},
		`h3=":443"; ma=0`:                      {true, 443, 0},
		`clear`:                                {said: true},
	} {
		if got := readAltSvc([]string{fields}, "www.example.com", 8443); got != want {
			t.Errorf("%s: %+v, want %+v", fields, got, want)
		}
	}
	if got := readAltSvc(nil, "www.example.com", 443); got != (altSvc{}) {
		t.Errorf("no field: %+v", got)
	}
}

func FuzzOffersH3(f *testing.F) {
	f.Add(`h3=":443"; ma=86400, h2="a\",:1"`)
	f.Fuzz(func(t *testing.T, field string) {
		if got := readAltSvc([]string{field}, "www.example.com", 443); got.age < 0 || got.age > longestAge {
			t.Errorf("an offer lasts %v", got.age)
		}
		if readAltSvc([]string{`h3=":443"`, field}, "www.example.com", 443).h3 != 443 {
			t.Error("an offer is taken back by another field")
		}
	})
}
