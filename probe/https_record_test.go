package probe

import (
	"testing"

	"github.com/miekg/dns"
)

// A record offers HTTP/3 if it is the name's own, and asks for nothing that we don't do.
func TestHTTPSRecord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint16{
		`a.example. 60 IN HTTPS 1 . alpn="h3,h2"`:                                      443,
		`a.example. 60 IN HTTPS 1 A.example. alpn="h3" ipv4hint=192.0.2.1`:             443,
		`a.example. 60 IN HTTPS 1 . mandatory="alpn" alpn="h3"`:                        443,
		`a.example. 60 IN HTTPS 1 . port=443 alpn="h3"`:                                443,
		`a.example. 60 IN HTTPS 1 . alpn="h2"`:                                         0,
		`a.example. 60 IN HTTPS 1 .`:                                                   0,
		`a.example. 60 IN HTTPS 0 b.example.`:                                          0,
		`a.example. 60 IN HTTPS 1 b.example. alpn="h3"`:                                0,
		`a.example. 60 IN HTTPS 1 . port=8443 alpn="h3"`:                               0,
		`a.example. 60 IN HTTPS 1 . mandatory="ipv4hint" alpn="h3" ipv4hint=192.0.2.1`: 0,
	} {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		q, m := recordOf("a.example"), new(dns.Msg)
		m.SetQuestion("a.example.", dns.TypeHTTPS)
		m.Id, m.Response, m.Answer = 7, true, []dns.RR{rr}
		packed, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		a, err := q.read(7, packed)
		if word, says := a.verdict(q); err != nil || a.h3 != want || word != "" {
			t.Errorf("%s: port %d, want %d; %v, %s %s", text, a.h3, want, err, word, says)
		}
	}
	none := answer{}
	if word, _ := none.verdict(recordOf("a.example")); word != "" {
		t.Errorf("a name without a record is %s", word)
	}
}

// A name is asked for once a day.
func TestRecordsHaveTurns(t *testing.T) {
	t.Parallel()
	var o offers
	a, b := offerKey{"one/site", "a.example"}, offerKey{"one/site", "b.example"}
	if !o.turn(a) || o.turn(a) || !o.turn(b) {
		t.Error("a turn is taken twice, or not at all")
	}
}

// FuzzHTTPSRecord reads answers of a hostile resolver: what is offered is offered at port 443.
func FuzzHTTPSRecord(f *testing.F) {
	rr, err := dns.NewRR(`a.example. 60 IN HTTPS 1 . mandatory="alpn" alpn="h3" port=443`)
	if err != nil {
		f.Fatal(err)
	}
	m := new(dns.Msg)
	m.SetQuestion("a.example.", dns.TypeHTTPS)
	m.Id, m.Response, m.Answer = 7, true, []dns.RR{rr}
	packed, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := recordOf("a.example").read(7, b); a.h3 != 0 && (a.h3 != 443 || err != nil) {
			t.Errorf("port %d, %v", a.h3, err)
		}
	})
}
