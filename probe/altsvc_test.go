package probe

import "testing"

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
		if got := offersH3(c.fields, "www.example.com", 8443); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}

func FuzzOffersH3(f *testing.F) {
	f.Add(`h3=":443"; ma=86400, h2="a\",:1"`)
	f.Fuzz(func(t *testing.T, field string) {
		offersH3([]string{field}, "www.example.com", 443)
		if !offersH3([]string{`h3=":443"`, field}, "www.example.com", 443) {
			t.Error("an offer is taken back by another field")
		}
	})
}
