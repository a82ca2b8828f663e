package privacy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/measurements"
)

// one scrubs a round of one observation.
func one(s *Scrubber, o measurements.Observation, learnt ...netip.Addr) measurements.Observation {
	r, _ := s.Round(measurements.Round{Apps: []measurements.Measurement{{App: "telegram", Observations: []measurements.Observation{o}}}}, learnt)
	return r.Apps[0].Observations[0]
}

func TestLocation(t *testing.T) {
	t.Parallel()
	for location, want := range map[string]string{
		"":                                   "",
		"/here?x=192.168.1.7":                "/here?x=[scrubbed]",
		"http://10.10.34.34/?u=x":            "http://10.10.34.34/?u=x",
		"http://198.51.100.5:8080/page":      "http://198.51.100.5:8080/page",
		"https://web.telegram.example/a":     "https://web.telegram.example/a",
		"http://fritz.box/blocked?why=night": "http://scrubbed.home.arpa/blocked?why=night",
		"http://nas.local:81/":               "http://scrubbed.home.arpa:81/",
		"http://nas.mueller.example/":        "http://scrubbed.invalid/",
		"http://abc.myfritz.net/":            "http://scrubbed.invalid/",
		"http://lamanlabuh.aduankonten.id/a": "http://lamanlabuh.aduankonten.id/a",
		"http://anna:pw@portal.example/?m=08-00-27-4e-66-a1&i=198.51.100.9": "http://portal.example/?m=[scrubbed]&i=[scrubbed]",
		"http://[": "http://[",
	} {
		o := one(scrubber(), measurements.Observation{Operation: measurements.HTTPExchange, HTTP: &measurements.HTTP{Status: 302, Location: location}})
		if got := o.HTTP.Location; got != want {
			t.Errorf("%q:\n got %q\nwant %q", location, got, want)
		}
	}
	// One that leads to a machine of ours leads to one of the same kind.
	o := one(scrubber(), measurements.Observation{HTTP: &measurements.HTTP{Location: "http://192.168.1.1:80/login"}, Error: "at 192.168.1.1"})
	rest, private := strings.CutPrefix(o.HTTP.Location, "http://192.168.")
	if !private || !strings.HasSuffix(rest, ":80/login") || strings.HasPrefix(rest, "1.1:") || o.Error != "at [scrubbed]" {
		t.Errorf("%+v %q", o.HTTP, o.Error)
	}
}

func TestBody(t *testing.T) {
	t.Parallel()
	page := "<p>as per the directions received from Department of Telecommunications</p> You, 198.51.100.77 (annas-laptop), may not."
	h := measurements.HTTP{Status: 200, Body: []byte(page), Date: "203.0.113.9"}
	got := one(scrubber(), measurements.Observation{HTTP: &h}).HTTP
	if want := strings.NewReplacer("198.51.100.77", scrubbed, "annas-laptop", scrubbed).Replace(page); string(got.Body) != want || got.BlockPage() != "IN" || got.Date != "" {
		t.Errorf("%s, %q", got.Body, got.Date)
	}
	h = measurements.HTTP{Status: 200, Body: []byte("Welcome, Anna!"), BodyBytes: 14, Date: "Mon, 23 Nov 2026 08:00:00 GMT"}
	if got := one(scrubber(), measurements.Observation{HTTP: &h}).HTTP; got.Body != nil || got.BodyBytes != 14 || got.Date != h.Date {
		t.Errorf("%+v", got)
	}
	// Cut where it was cut before, unless that would take away what makes it evidence.
	long := page + strings.Repeat(" 198.51.100.77", mostBody/14)
	h = measurements.HTTP{Body: []byte(long[:mostBody])}
	if got := one(scrubber(), measurements.Observation{HTTP: &h}).HTTP; len(got.Body) > mostBody || got.BlockPage() != "IN" {
		t.Errorf("%d bytes, %q", len(got.Body), got.BlockPage())
	}
	long = strings.Repeat("10.9.8.7 ", 1000)[:mostBody-13] + "warning.or.kr"
	h = measurements.HTTP{Body: []byte(long)}
	if got := one(scrubber(), measurements.Observation{HTTP: &h}).HTTP; got.BlockPage() != "KR" || bytes.Contains(got.Body, []byte("10.9.8.7")) {
		t.Errorf("%q", got.BlockPage())
	}
}

// What a peer of another protocol says is a page, or bytes, or the begin of a handshake whose certificate follows.
func TestFirstBytes(t *testing.T) {
	t.Parallel()
	own := netip.MustParseAddr("203.0.113.9").AsSlice()
	hello := append([]byte{22, 3, 3, 0, 60, 2, 0, 0, 4, 3, 3, 7, 7, 11, 0, 0, 40}, "CN=annas box"...)
	for _, c := range []struct{ in, want []byte }{
		{[]byte("HTTP/1.1 403 No\r\n\r\nyou are 198.51.100.77 at annas-laptop"), []byte("HTTP/1.1 403 No\r\n\r\nyou are [scrubbed] at [scrubbed]")},
		{slices.Concat([]byte{0, 1, 0xff}, own, []byte{0xfe}), []byte{0, 1, 0xff, 0, 0, 0, 0, 0xfe}},
		{slices.Concat([]byte{0, 1}, []byte("annas-laptop"), []byte{0xfe}), slices.Concat([]byte{0, 1}, make([]byte, 12), []byte{0xfe})},
		{hello, hello[:13]},
		{[]byte{21, 3, 3, 0, 2, 2, 40}, []byte{21, 3, 3, 0, 2, 2, 40}},
		{[]byte{22}, []byte{22}},
		{[]byte{22, 3, 1, 0, 5, 11, 1, 2, 3, 4}, []byte{22, 3, 1, 0, 5}},
	} {
		o := one(scrubber(), measurements.Observation{Operation: measurements.TLSHandshake, Failure: measurements.TLSNotTLS, TLS: &measurements.TLS{FirstBytes: c.in}})
		if !bytes.Equal(o.TLS.FirstBytes, c.want) {
			t.Errorf("%q:\n got %q\nwant %q", c.in, o.TLS.FirstBytes, c.want)
		}
	}
	in := []byte(strings.Repeat("10.0.0.9 ", 7))
	o := one(scrubber(), measurements.Observation{Operation: measurements.AppHandshake, App: &measurements.Handshake{FirstBytes: in}})
	if len(o.App.FirstBytes) > len(in) || bytes.Contains(o.App.FirstBytes, []byte("10.0")) {
		t.Errorf("%q", o.App.FirstBytes)
	}
}

// certificate is a box's own, signed by itself.
func certificate(t *testing.T, c x509.Certificate) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.NotAfter = big.NewInt(1), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	at := "198.51.100.5:443"
	for name, c := range map[string]struct {
		of       x509.Certificate
		endpoint string
		kept     bool
	}{
		"a stranger's":            {x509.Certificate{DNSNames: []string{"filter.example"}, Subject: pkix.Name{CommonName: "Filter"}}, at, true},
		"a stranger's address":    {x509.Certificate{IPAddresses: []net.IP{net.ParseIP("198.51.100.5")}}, at, true},
		"our address":             {x509.Certificate{IPAddresses: []net.IP{net.ParseIP("203.0.113.9")}}, at, false},
		"nobody knows whose":      {x509.Certificate{IPAddresses: []net.IP{net.ParseIP("198.51.100.77")}}, at, false},
		"the same as a name":      {x509.Certificate{Subject: pkix.Name{CommonName: "198.51.100.77"}}, at, false},
		"of a home's range":       {x509.Certificate{IPAddresses: []net.IP{net.ParseIP("192.168.178.1")}}, at, false},
		"a provider's range":      {x509.Certificate{IPAddresses: []net.IP{net.ParseIP("10.10.34.34")}}, at, true},
		"a name of the home's":    {x509.Certificate{DNSNames: []string{"nas.mueller.example"}}, at, false},
		"a name of homes":         {x509.Certificate{DNSNames: []string{"fritz.box"}}, at, false},
		"a router's own":          {x509.Certificate{DNSNames: []string{"xyz123.myfritz.net"}}, at, false},
		"the host's name":         {x509.Certificate{Subject: pkix.Name{Organization: []string{"Annas-Laptop"}}}, at, false},
		"a MAC":                   {x509.Certificate{Subject: pkix.Name{CommonName: "router-0800274e66a1"}}, at, false},
		"a MAC with colons":       {x509.Certificate{Subject: pkix.Name{SerialNumber: "08:00:27:4E:66:A1"}}, at, false},
		"a MAC in an extension":   {x509.Certificate{ExtraExtensions: []pkix.Extension{{Id: []int{1, 2, 3, 4}, Value: home.MACs[0]}}}, at, false},
		"our network as bytes":    {x509.Certificate{SubjectKeyId: netip.MustParseAddr("2001:db8:aaaa:1::1").AsSlice()}, at, false},
		"whatever the gateway is": {x509.Certificate{Subject: pkix.Name{CommonName: "Speedster 2000"}}, "192.168.1.1:443", false},
		"whoever is on the link":  {x509.Certificate{Subject: pkix.Name{CommonName: "Speedster 2000"}}, "192.168.1.20:443", false},
	} {
		c.of.Issuer = c.of.Subject
		der := certificate(t, c.of)
		o := measurements.Observation{
			Operation: measurements.TLSHandshake, Endpoint: c.endpoint, Name: "web.telegram.example", Failure: measurements.SSLInvalidHostname,
			Error: fmt.Sprintf("x509: certificate is valid for %s, not web.telegram.example", strings.Join(c.of.DNSNames, ", ")),
			TLS:   &measurements.TLS{Chain: [][]byte{der}, ChainRoot: measurements.RootNone, LeafNames: c.of.DNSNames, LeafIssuer: c.of.Subject.String()},
		}
		got := one(scrubber(), o)
		if kept := len(got.TLS.Chain) == 1 && bytes.Equal(got.TLS.Chain[0], der); kept != c.kept {
			t.Errorf("%s: kept: %v", name, kept)
		}
		if got.TLS.ChainRoot != measurements.RootNone {
			t.Errorf("%s: the root is %q", name, got.TLS.ChainRoot)
		}
		text := fmt.Sprint(got.Error, got.TLS.LeafNames, got.TLS.LeafIssuer)
		for _, s := range []string{"mueller", "fritz", "xyz123", "annas", "4e66a1", "4e:66", "speedster", "77", "192.168"} {
			if !c.kept && strings.Contains(lower(text), s) {
				t.Errorf("%s: %s", name, text)
			}
		}
		// The app's own word is nobody's home, whatever it holds.
		o.Failure, o.Error = "", ""
		if got := one(scrubber(), o); len(got.TLS.Chain) != 1 || !bytes.Equal(got.TLS.Chain[0], der) {
			t.Errorf("%s: a chain that proved the server is gone", name)
		}
	}
}

// A chain whose key the reference vantage was shown as well is the server's, whatever it names: a rule looks at it.
func TestReferencesKeyStays(t *testing.T) {
	t.Parallel()
	der := certificate(t, x509.Certificate{DNSNames: []string{"fritz.box"}, IPAddresses: []net.IP{net.ParseIP("192.168.1.1")}})
	m := measurements.Measurement{
		Observations: []measurements.Observation{{Operation: measurements.TLSHandshake, Failure: measurements.SSLUnknownAuthority, TLS: &measurements.TLS{Chain: [][]byte{der}}}},
		Reference: &measurements.Reference{Targets: []measurements.ReferenceTarget{{Layers: []measurements.ReferenceLayer{{
			Endpoints: []measurements.ReferenceEndpoint{{Endpoint: "198.51.100.5:443", Keys: []string{measurements.KeyOf(der)}}},
		}}}}},
	}
	r, found := scrubber().Round(measurements.Round{Gate: m}, nil)
	if chain := r.Gate.Observations[0].TLS.Chain; len(chain) != 1 || !bytes.Equal(chain[0], der) || len(found.Boxes) > 0 {
		t.Errorf("%d certificates, %+v", len(chain), found)
	}
	m.Reference = nil
	if r, _ := scrubber().Round(measurements.Round{Gate: m}, nil); len(r.Gate.Observations[0].TLS.Chain) > 0 {
		t.Error("without it the chain is there as well")
	}
}

// Rules ask whether two issuers are the same.
func TestIssuersStayApart(t *testing.T) {
	t.Parallel()
	r := measurements.Round{}
	for _, issuer := range []string{"CN=annas-laptop 1", "CN=annas-laptop 2", "CN=annas-laptop 1"} {
		r.Gate.Observations = append(r.Gate.Observations, measurements.Observation{
			Operation: measurements.TLSHandshake, Failure: measurements.SSLUnknownAuthority, TLS: &measurements.TLS{LeafIssuer: issuer},
		})
	}
	r, _ = scrubber().Round(r, nil)
	o := r.Gate.Observations
	if a, b, c := o[0].TLS.LeafIssuer, o[1].TLS.LeafIssuer, o[2].TLS.LeafIssuer; a == b || a != c || strings.Contains(a+b+c, "annas") {
		t.Errorf("%q %q %q", a, b, c)
	}
}

func TestDNSAnswer(t *testing.T) {
	t.Parallel()
	for text, kept := range map[string]bool{
		"web.telegram.example. 60 IN A 198.51.100.5":             true,
		"web.telegram.example. 60 IN A 192.168.1.7":              false,
		"web.telegram.example. 60 IN AAAA 2001:db8:aaaa:1::aaaa": false,
		"web.telegram.example. 60 IN CNAME nas.mueller.example.": false,
		"web.telegram.example. 60 IN CNAME annas-laptop.":        false,
		`web.telegram.example. 60 IN TXT "198.51.100.77"`:        false,
		`web.telegram.example. 60 IN TXT "hello"`:                true,
	} {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := (&dns.Msg{Answer: []dns.RR{rr}, Compress: true}).Pack()
		if err != nil {
			t.Fatal(err)
		}
		o := one(scrubber(), measurements.Observation{Operation: measurements.Resolve, DNS: &measurements.DNS{Raw: raw}})
		if got := o.DNS.Raw != nil; got != kept || got && !bytes.Equal(o.DNS.Raw, raw) {
			t.Errorf("%s: kept: %v", text, got)
		}
	}
	subnet := new(dns.Msg)
	subnet.Extra = []dns.RR{&dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}, Option: []dns.EDNS0{&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: net.ParseIP("198.51.100.0").To4()}}}}
	raw, err := subnet.Pack()
	if err != nil {
		t.Fatal(err)
	}
	d := measurements.DNS{Raw: raw, Class: "home", Identity: "dnsmasq of the Muellers", CNAMEs: []string{"nas.mueller.example", "edge.example"}}
	got := one(scrubber(), measurements.Observation{DNS: &d}).DNS
	if got.Raw != nil || !strings.HasPrefix(got.Identity, scrubbed) || !slices.Equal(got.CNAMEs, []string{scrubbed, "edge.example"}) {
		t.Errorf("%+v", got)
	}
	d = measurements.DNS{Class: "public", Identity: "unbound 1.19.2"}
	if got := one(scrubber(), measurements.Observation{DNS: &d}).DNS; got.Identity != d.Identity {
		t.Errorf("%q", got.Identity)
	}
}

// What somebody said to be our address is taken for it, unless it would hide a server.
func TestLearntAddresses(t *testing.T) {
	t.Parallel()
	at := func(a string) netip.Addr { return netip.MustParseAddr(a) }
	learnt := []netip.Addr{at("198.51.100.77"), at("198.51.100.5"), at("198.51.100.6"), at("192.0.2.53"), at("10.10.34.34"), at("127.0.0.1"), {}}
	r := measurements.Round{Gate: measurements.Measurement{Observations: []measurements.Observation{
		{Operation: measurements.Resolve, DNS: &measurements.DNS{Resolver: "system", Addresses: learnt[:6]}},
		{Operation: measurements.Resolve, Control: measurements.D, DNS: &measurements.DNS{Resolver: "https://192.0.2.53/", Addresses: learnt[2:3]}},
		{Operation: measurements.TLSHandshake, Endpoint: "198.51.100.5:443", TLS: &measurements.TLS{}},
	}}}
	r, found := scrubber().Round(r, learnt)
	got := r.Gate.Observations[0].DNS.Addresses
	if len(found.Addresses) != 1 || found.Addresses[0].Addr() != learnt[0] {
		t.Errorf("%+v", found)
	}
	if got[0] == learnt[0] || !public4.Contains(got[0]) || !slices.Equal(got[1:], learnt[1:6]) {
		t.Errorf("%v", got)
	}
}

// A laboratory may have its servers on this very machine, at addresses for documentation: what has proved to be a
// server there is none of ours. At any other address it may be a relay at home.
func TestLaboratory(t *testing.T) {
	t.Parallel()
	for endpoint, stays := range map[string]bool{"203.0.113.9:443": true, "[2001:db8:aaaa:1::7]:443": true, "192.168.1.7:443": false} {
		for _, failure := range []measurements.Failure{"", measurements.ConnectionReset} {
			o := measurements.Observation{Operation: measurements.TLSHandshake, Endpoint: endpoint, Failure: failure, TLS: &measurements.TLS{}}
			if got := one(scrubber(), o).Endpoint; (got == endpoint) != (stays && failure == "") {
				t.Errorf("%s, %q: %s", endpoint, failure, got)
			}
		}
	}
}

// An address that is ours is replaced by one of its kind, the same throughout, and another for another.
func TestStandIns(t *testing.T) {
	t.Parallel()
	p := scrubber().begin(&measurements.Round{}, nil)
	q := New(home, configured, []byte("another key")).begin(&measurements.Round{}, nil)
	seen := map[netip.Addr]bool{}
	other := 0
	for _, text := range []string{
		"192.168.1.7", "192.168.1.1", "203.0.113.9", "10.1.2.3", "172.16.0.9", "169.254.1.1", "100.64.3.4", "198.18.0.1",
		"2001:db8:aaaa:1::7", "2001:db8:aaaa:1::8", "fe80::a00:27ff:fe4e:66a1", "fd12:3456::1", "fc00::1", "64:ff9b::c0a8:107", "2002:c0a8:107::1",
	} {
		a := netip.MustParseAddr(text)
		b := p.standIn(a)
		if b == a || seen[b] || b != p.standIn(a) || kindOf(b) != kindOf(a) || a.Is4() != b.Is4() || a.IsPrivate() != b.IsPrivate() ||
			a.IsLinkLocalUnicast() != b.IsLinkLocalUnicast() || measurements.BlockAddress(b) || p.ours.exact[b] {
			t.Errorf("%v is replaced by %v", a, b)
		}
		if seen[b] = true; q.standIn(a) != b {
			other++
		}
	}
	if other < 10 {
		t.Errorf("under another key only %d are others", other)
	}
	if b := p.standIn(netip.MustParseAddr("::ffff:192.168.1.7")); !b.Is4In6() || b.Unmap() != p.standIn(netip.MustParseAddr("192.168.1.7")) {
		t.Errorf("%v", b)
	}
	again := scrubber().begin(&measurements.Round{}, nil)
	if a := netip.MustParseAddr("192.168.1.7"); again.standIn(a) != p.standIn(a) {
		t.Error("in another round it is another")
	}
	for range 300 { // more than the range has
		a := netip.AddrFrom4([4]byte{203, 0, 113, byte(len(p.stands))})
		_ = p.standIn(a)
	}
}

// Names that the configuration has for its own things are no machine's, even where they are called alike.
func TestWordsStay(t *testing.T) {
	t.Parallel()
	own := home
	own.Hosts = []string{"dc1", "web.telegram.example", "media-host"}
	s := New(own, Known{Words: []string{"media-host", "web.telegram.example"}}, nil)
	o := measurements.Observation{Target: "media-host", Name: "web.telegram.example", Endpoint: "198.51.100.5:443", Operation: measurements.Connect, Error: "dial tcp 198.51.100.5:443: connect: connection refused"}
	if got := one(s, o); got.Target != o.Target || got.Name != o.Name || got.Endpoint != o.Endpoint || got.Error != o.Error {
		t.Errorf("%+v", got)
	}
}

func TestWriter(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	asked := 0
	w := &Writer{To: &out, Own: func() Own { asked++; return home }, Known: Known{Addresses: []netip.Addr{netip.MustParseAddr("192.168.1.7")}}}
	line := `{"level":"warn","error":"read tcp 192.168.1.7:40->198.51.100.9:443: by 2001:db8::9 at annas-laptop","path":"C:\\%6c","address":"127.0.0.1:9877"}` + "\n"
	for range 2 {
		if n, err := w.Write([]byte(line)); n != len(line) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	want := strings.NewReplacer("198.51.100.9", scrubbed, "2001:db8::9", scrubbed, "annas-laptop", scrubbed).Replace(line)
	if out.String() != want+want || asked != 1 {
		t.Errorf("%s", out.String())
	}
}

// A record may hold anything that a peer has sent. What block pages are known by is judged as before, and a record
// that was scrubbed stays as it is.
func FuzzRound(f *testing.F) {
	f.Add("http://192.168.1.1:80/?a=%3A", []byte("<p>warning.or.kr at 192.168.1.7"), []byte{0, 1, 0x81, 0x80})
	f.Add("//[2001:db8:aaaa:1::7]:x/a@b", []byte{22, 3, 3, 0, 9, 2, 0, 0, 1}, []byte{0x30, 0x82})
	s := scrubber()
	f.Fuzz(func(t *testing.T, text string, page, raw []byte) {
		in := measurements.Round{Gate: measurements.Measurement{Observations: []measurements.Observation{{
			Operation: measurements.TLSHandshake, Endpoint: "198.51.100.5:443", Failure: measurements.SSLUnknownAuthority, Error: text,
			HTTP: &measurements.HTTP{Location: text, Body: page, Date: text}, DNS: &measurements.DNS{Raw: raw, Identity: text, CNAMEs: []string{text}},
			TLS: &measurements.TLS{Chain: [][]byte{raw, page}, FirstBytes: page, LeafIssuer: text, LeafNames: []string{text}},
			App: &measurements.Handshake{Protocol: measurements.MTProto, FirstBytes: page[:min(len(page), 64)]},
		}}}}
		once, _ := s.Round(in, nil)
		if a, b := in.Gate.Observations[0].HTTP.BlockPage(), once.Gate.Observations[0].HTTP.BlockPage(); a != b {
			t.Errorf("block page %q becomes %q", a, b)
		}
		was, is := measurements.HTTP{Body: in.Gate.Observations[0].TLS.FirstBytes}, measurements.HTTP{Body: once.Gate.Observations[0].TLS.FirstBytes}
		if len(page) > 0 && page[0] != handshakeRecord && was.BlockPage() != is.BlockPage() {
			t.Errorf("first bytes of a block page %q become %q", was.BlockPage(), is.BlockPage())
		}
		if o := once.Gate.Observations[0]; len(o.App.FirstBytes) > 64 || s.still.namesUs(o.Error) {
			t.Errorf("%d bytes, %q", len(o.App.FirstBytes), o.Error)
		}
		twice, _ := s.Round(once, nil)
		for i, o := range twice.Gate.Observations {
			if before := once.Gate.Observations[i]; o.Error != before.Error || o.HTTP.Location != before.HTTP.Location || !bytes.Equal(o.HTTP.Body, before.HTTP.Body) {
				t.Errorf("%q becomes %q", before.HTTP.Location, o.HTTP.Location)
			}
		}
	})
}
