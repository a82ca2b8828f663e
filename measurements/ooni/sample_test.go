package ooni

import (
	"net/netip"
	"time"

	ms "github.com/telltale-probe/telltale/measurements"
)

var began = time.Date(2026, 11, 23, 8, 0, 0, 123456789, time.UTC)

// sample has one observation of every operation, failed and not, with every field in use.
func sample() ms.Measurement {
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	web := "192.0.2.10:443"
	return ms.Measurement{
		ID: "m1", Round: "r1", App: "telegram", Started: began, Runtime: ms.Seconds(3200 * time.Millisecond),
		Targets:  []ms.TargetInfo{{ID: "web", Hosts: []string{"web.example.org"}, Probes: []string{"https", "h3"}, Essential: true, Group: "g"}, {ID: "dc1", Probes: []string{"mtproto"}}, {ID: "calls", Probes: []string{"stun"}}},
		Skipped:  []ms.Skip{{Target: "web", Layer: ms.LayerTLS, Family: ms.IPv6, Endpoint: "[2001:db8::1]:443", Reason: ms.SkipResidual}},
		Software: ms.Software{Version: "0.1.0", Revision: "abc", Rules: ms.RulesVersion, Catalogue: "c0ffee", OS: "darwin", Architecture: "arm64", GoVersion: "go1.26.0"},
		Vantage:  ms.Vantage{Country: "NL", ASN: 64496, Label: "home", Epoch: "e1"},
		Observations: []ms.Observation{
			{
				Target: "web", Origin: ms.FromSystem, Operation: ms.Resolve, Transport: "udp", Family: ms.IPv4, Name: "web.example.org", Started: at(0),
				Duration: ms.Seconds(12 * time.Millisecond), Sent: 33, Received: 90,
				DNS: &ms.DNS{
					Resolver: ms.SystemResolver, Class: "home", Transport: "udp", Type: "A", Attempts: 1, TTL: 300, Raw: []byte{0, 1, 2},
					Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}, CNAMEs: []string{"edge.example.net"}, Identity: "r",
					Late: []ms.DNSAnswer{{After: ms.Seconds(40 * time.Millisecond), Rcode: 3, Addresses: []netip.Addr{netip.MustParseAddr("10.10.34.35")}}},
				},
			},
			{
				Target: "web", Control: ms.D, Operation: ms.Resolve, Transport: "doh", Family: ms.IPv6, Name: "web.example.org", Failure: ms.DNSNXDomain,
				Error: "no such host", Started: at(20), Duration: ms.Seconds(time.Second),
				DNS: &ms.DNS{Resolver: "https://192.0.2.53/dns-query", Class: "public", Transport: "doh", Type: "AAAA", Rcode: 3},
			},
			{
				Target: "web", Trial: 1, Conn: 1, Origin: ms.FromSystem, Operation: ms.Connect, Transport: "tcp", Family: ms.IPv4, Endpoint: web, Started: at(30),
				Duration: ms.Seconds(30 * time.Millisecond), LocalPort: 50000, TCP: &ms.TCPInfo{RTT: ms.Seconds(30 * time.Millisecond), MinRTT: ms.Seconds(29 * time.Millisecond), Retransmits: 1, BytesAcked: 2, BytesReceived: 3},
			},
			{Target: "web", Conn: 1, Operation: ms.Settle, Transport: "tcp", Family: ms.IPv4, Endpoint: web, Failure: ms.ConnectionReset, Started: at(60), Duration: ms.Seconds(50 * time.Millisecond)},
			{
				Target: "web", Control: ms.N, Trial: 1, Conn: 2, Operation: ms.TLSHandshake, Transport: "tcp", Family: ms.IPv4, Endpoint: web, Name: "neutral.example.com",
				Failure: ms.SSLInvalidHostname, Started: at(120), Duration: ms.Seconds(61 * time.Millisecond), Sent: 517, Received: 3000,
				TLS: &ms.TLS{
					Shape: ms.Small, JA4: "t13d", Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", ALPN: "h2", Chain: [][]byte{{0x30, 1}, {0x30, 2}},
					ChainRoot: "bundle", LeafNames: []string{"web.example.org"}, LeafIssuer: "CN=Example", FirstBytes: []byte{22, 3, 3},
				},
			},
			{Target: "web", Trial: 1, Conn: 3, Operation: ms.TLSHandshake, Transport: "tcp", Family: ms.IPv4, Endpoint: web, Name: "web.example.org", Failure: ms.TLSAlert(40), Started: at(200), Duration: ms.Seconds(9 * time.Millisecond), TLS: &ms.TLS{Shape: ms.Default}},
			{
				Target: "web", Conn: 3, Operation: ms.HTTPExchange, Transport: "tcp", Family: ms.IPv4, Endpoint: "192.0.2.10:8080", Name: "web.example.org", Started: at(300), Duration: ms.Seconds(20 * time.Millisecond), Sent: 80, Received: 200,
				HTTP: &ms.HTTP{Method: "GET", Path: "/a?b=%20c", Proto: "http/1.1", Status: 302, Location: "http://10.10.34.35/", Date: "Mon, 23 Nov 2026 08:00:00 GMT", BodyBytes: 5, Body: []byte{0xff, '<', 'a', '>', '"'}, BodyTruncated: true},
			},
			{Target: "web", Conn: 4, Operation: ms.QUICHandshake, Transport: "quic", Family: ms.IPv6, Endpoint: "[2001:db8::1]:443", Name: "web.example.org", Failure: ms.Timeout, Started: at(400), Duration: ms.Seconds(2 * time.Second), Sent: 2400, QUIC: &ms.QUICInfo{Version: "1", DatagramsSent: 2, DatagramsReceived: 0}},
			{Target: "web", Control: ms.V, Operation: ms.QUICVersion, Transport: "quic", Family: ms.IPv6, Endpoint: "[2001:db8::1]:443", Started: at(2500), Duration: ms.Seconds(30 * time.Millisecond), Sent: 1200, Received: 60},
			{Target: "web", Conn: 4, Operation: ms.HTTPExchange, Transport: "quic", Family: ms.IPv6, Endpoint: "[2001:db8::1]:443", Name: "web.example.org", Failure: ms.Unknown("odd"), Started: at(2600), Duration: ms.Seconds(time.Millisecond)},
			{
				Target: "dc1", Conn: 5, Operation: ms.AppHandshake, Transport: "tcp", Family: ms.IPv4, Endpoint: "192.0.2.11:443", Failure: ms.AppImposter, Started: at(2700), Duration: ms.Seconds(time.Millisecond),
				Sent: 60, Received: 84, App: &ms.Handshake{Protocol: ms.MTProto, Arm: "abridged", FirstBytes: []byte{1}},
			},
			{Target: "calls", Operation: ms.AppHandshake, Transport: "udp", Family: ms.IPv4, Endpoint: "192.0.2.12:3478", Failure: ms.Timeout, Started: at(2800), Duration: ms.Seconds(10 * time.Millisecond), Sent: 20, App: &ms.Handshake{Protocol: ms.STUN}},
			{
				Target: "web", Conn: 6, Operation: ms.Transfer, Transport: "tls", Family: ms.IPv4, Endpoint: web, Name: "web.example.org", Started: at(2900), Duration: ms.Seconds(20 * time.Millisecond),
				Sent: 90, Received: 70_000, Transfer: &ms.Body{Bytes: 69_000, Wait: ms.Seconds(time.Millisecond), Active: ms.Seconds(9 * time.Millisecond), Ended: ms.EndedComplete},
			},
			{
				Target: "web", Operation: ms.Resolve, Transport: "tcp", Family: ms.IPv6, Name: "web.example.org", Started: at(3000), Duration: ms.Seconds(10 * time.Millisecond), Sent: 35, Received: 70,
				DNS: &ms.DNS{Resolver: ms.SystemResolver, Class: "home", Transport: "tcp", Type: "AAAA", TTL: 60, Addresses: []netip.Addr{netip.MustParseAddr("2001:db8::1")}},
			},
		},
	}
}
