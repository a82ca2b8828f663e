package probe_test

import (
	"slices"
	"testing"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/netlab"
)

// Every row comes out as it says where the network is in memory. TestKernelFidelity says the same of
// the kernel.
func TestFidelity(t *testing.T) {
	t.Parallel()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			for _, address := range inMemory {
				got, says := playInMemory(t, &r, address, r.box.rules()...)
				if want := r.expected(address.Is6()); got != want {
					t.Errorf("over %s: %s %q (%s), want %s %q", measurements.FamilyOf(address), got.at, got.failure, says, want.at, want.failure)
				}
			}
		})
	}
}

// No row is true of any world: with an honest server and without its box each comes out otherwise, and
// one that is to succeed does not where all is dropped.
func TestFidelityBites(t *testing.T) {
	t.Parallel()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			other, rules := r, []netlab.Rule(nil)
			other.server, other.port = server{}, 0
			if r.port == 80 {
				other.port = 80
			}
			if r.want.failure == "" {
				rules = []netlab.Rule{{Action: netlab.Drop}}
			}
			for _, address := range inMemory {
				if got, _ := playInMemory(t, &other, address, rules...); got == r.expected(address.Is6()) {
					t.Errorf("over %s it is %s %q in another world too", measurements.FamilyOf(address), got.at, got.failure)
				}
			}
		})
	}
}

// rows is the table: all that is played in both worlds, by the layer at which it shows.
var rows = slices.Concat(rowsOfTCP, rowsOfTLS, rowsOfHTTP, rowsOfQUIC, rowsOfDNS)

const closed = 8443 // a port where nobody listens

// The words that come most.
const (
	refused = measurements.ConnectionRefused
	reset   = measurements.ConnectionReset
	silence = measurements.Timeout
	fin     = measurements.EOF
	// prohibited6 is what Linux makes of ICMPv6's "administratively prohibited": EACCES, where IPv4 has
	// EHOSTUNREACH (icmpv6_err_convert, icmp_err_convert).
	prohibited6 = measurements.PermissionDenied
)

// What servers and boxes say.
const (
	badRequest = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
	blockPage  = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 7\r\n\r\nblocked"
	anAlert    = "\x15\x03\x03\x00\x02\x02\x28" // handshake_failure (40), fatal (RFC 8446, section 6)
	halfRecord = "\x16\x03\x03\x00\x40abc"
	halfHeader = "HTTP/1.1 200 OK\r\nContent-Le"
	halfBody   = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"
)

var rowsOfTCP = []row{
	{name: "TCP connects and lives", steps: settled},
	{name: "TCP port closed", steps: overTCP, port: closed, want: connect.fails(refused)},
	{name: "SYN reset", steps: overTCP, box: boxed(every(netlab.TCP, netlab.Reset), aSYN+toReset), want: connect.fails(refused)},
	{name: "SYN dropped", steps: overTCP, box: boxed(every(netlab.TCP, netlab.Drop), aSYN+toDrop), want: connect.fails(silence)},
	{name: "SYN passes, its answer is dropped", steps: overTCP, box: boxed(inward(netlab.TCP), "-p tcp --sport 443"+toDrop), want: connect.fails(silence)},

	{name: "SYN met by ICMP net unreachable", steps: overTCP, box: icmp(netlab.TCP, 0, aSYN), want: connect.fails(measurements.NetworkUnreach)},
	{name: "SYN met by ICMP host unreachable", steps: overTCP, box: icmp(netlab.TCP, 1, aSYN), want: connect.fails(measurements.HostUnreachable)},
	{name: "SYN met by ICMP port unreachable", steps: overTCP, box: icmp(netlab.TCP, 3, aSYN), want: connect.fails(refused)},
	{name: "SYN met by ICMP net prohibited", steps: overTCP, box: icmp(netlab.TCP, 9, aSYN), want: connect.fails(measurements.NetworkUnreach), want6: connect.fails(prohibited6)},
	{name: "SYN met by ICMP host prohibited", steps: overTCP, box: icmp(netlab.TCP, 10, aSYN), want: connect.fails(measurements.HostUnreachable), want6: connect.fails(prohibited6)},
	{name: "SYN met by ICMP admin prohibited", steps: overTCP, box: icmp(netlab.TCP, 13, aSYN), want: connect.fails(measurements.HostUnreachable), want6: connect.fails(prohibited6)},

	{name: "server resets what it accepts", steps: settled, server: server{accepted: then(established, tear)}, want: settle.fails(reset)},
	{name: "server closes what it accepts", steps: settled, server: server{accepted: then(established)}, want: settle.fails(fin)},
	{name: "box resets what it accepts", steps: settled, box: proxied(every(netlab.TCP, netlab.AcceptReset), server{accepted: then(established, tear)}), want: settle.fails(reset)},
	{name: "box closes what it accepts", steps: settled, box: proxied(every(netlab.TCP, netlab.AcceptClose), server{accepted: then(established)}), want: settle.fails(fin)},
	{name: "server resets before the hello", steps: overTLS, server: server{accepted: then(established, tear)}, want: shake.fails(reset)},
}

var rowsOfTLS = []row{
	{name: "TLS with one segment", steps: overTLS},
	{name: "TLS with a hello of two segments", steps: overTLS, shape: measurements.Default},
	{
		name: "TLS where a box minds another name", steps: overTLS,
		box: boxed(netlab.Rule{Protocol: netlab.TLS, Names: []string{"mail.example.org"}, Action: netlab.Reset}, "-p tcp --dport 443 -m string --algo bm --string mail.example.org"+toReset),
	},

	{name: "SNI reset", steps: overTLS, box: boxed(named(netlab.TLS, netlab.Reset), aHello+toReset), want: shake.fails(reset)},
	{name: "SNI reset in two segments", steps: overTLS, shape: measurements.Default, box: boxed(named(netlab.TLS, netlab.Reset), aHello+toReset), want: shake.fails(reset)},
	{name: "SNI dropped", steps: overTLS, box: boxed(named(netlab.TLS, netlab.Drop), aHello+toDrop), want: shake.fails(silence)},
	{name: "SNI met by ICMP, which is soft by then", steps: overTLS, box: icmp(netlab.TLS, 13, aHello), want: shake.fails(silence)},
	{name: "hello reset by the server", steps: overTLS, server: server{accepted: then(hearHello, tear)}, want: shake.fails(reset)},
	{name: "hello met by FIN", steps: overTLS, server: server{accepted: hearHello}, want: shake.fails(fin)},
	{name: "hello met by FIN of a box", steps: overTLS, box: proxied(named(netlab.TLS, netlab.Close), server{accepted: hearHello}), want: shake.fails(fin)},
	{name: "hello met by half a record", steps: overTLS, server: server{accepted: then(hearHello, say(halfRecord))}, want: shake.fails(fin)},
	{name: "hello met by HTTP", steps: overTLS, server: server{accepted: then(hearHello, say(badRequest))}, want: shake.fails(measurements.TLSNotTLS)},
	{
		name: "hello met by a page of a box", steps: overTLS, want: shake.fails(measurements.TLSNotTLS),
		box: proxied(netlab.Rule{Protocol: netlab.TLS, Action: netlab.Page, Page: blockPage}, server{accepted: then(hearHello, say(blockPage))}),
	},

	{name: "alert: unrecognized name", steps: overTLS, server: server{unknownName: true}, want: shake.fails(measurements.TLSAlert(112))},
	{name: "alert: no common ALPN", steps: overTLS, server: server{alpn: "nothing-of-ours", shaken: hold}, want: shake.fails(measurements.TLSAlert(120))},
	{name: "alert: handshake failure", steps: overTLS, server: server{accepted: then(hearHello, say(anAlert))}, want: shake.fails(measurements.TLSAlert(40))},
	{
		name: "alert of a box", steps: overTLS, want: shake.fails(measurements.TLSAlert(40)),
		box: proxied(netlab.Rule{Protocol: netlab.TLS, Action: netlab.AlertAction, Alert: 40}, server{accepted: then(hearHello, say(anAlert))}),
	},

	{name: "certificate for another name", steps: overTLS, server: server{otherName: true}, want: shake.fails(measurements.SSLInvalidHostname)},
	{name: "certificate of another root", steps: overTLS, server: server{otherRoot: true}, want: shake.fails(measurements.SSLUnknownAuthority)},
	{name: "certificate expired", steps: overTLS, server: server{expired: true}, want: shake.fails(measurements.SSLInvalidCertificate)},
	{name: "intercepted", steps: overTLS, box: proxied(every(netlab.TLS, netlab.Intercept), server{otherRoot: true}), want: shake.fails(measurements.SSLUnknownAuthority)},
}

var rowsOfHTTP = []row{
	{name: "HTTPS answers", steps: overHTTPS},
	{name: "HTTP answers", steps: inClear, port: 80},

	{name: "exchange reset", steps: overHTTPS, server: server{shaken: then(hearRequest, tear)}, want: ask.fails(reset)},
	{name: "exchange reset over h2", steps: overHTTPS, server: server{alpn: "h2", shaken: then(hearBytes, tear)}, want: ask.fails(reset)},
	{name: "exchange met by silence", steps: overHTTPS, server: server{shaken: then(hearRequest, hold)}, want: ask.fails(silence)},
	{name: "exchange met by silence over h2", steps: overHTTPS, server: server{alpn: "h2", shaken: hold}, want: ask.fails(silence)},
	{name: "exchange met by FIN", steps: overHTTPS, server: server{shaken: hearRequest}, want: ask.fails(fin)},
	{name: "exchange met by close_notify and FIN", steps: overHTTPS, server: server{shaken: then(hearRequest, goodbye)}, want: ask.fails(fin)},
	{name: "FIN inside the header", steps: overHTTPS, server: server{shaken: then(hearRequest, say(halfHeader))}, want: ask.fails(measurements.HTTPRequestFailed)},
	{name: "FIN inside the body", steps: overHTTPS, server: server{shaken: then(hearRequest, say(halfBody))}, want: ask.fails(fin)},
	{name: "reset inside the body", steps: overHTTPS, server: server{shaken: then(hearRequest, say(halfBody), tear)}, want: ask.fails(reset)},
	{name: "stream cut after 32 KiB", steps: overHTTPS, box: boxed(netlab.Rule{Protocol: netlab.TLS, Action: netlab.Cut, After: 32 << 10}, afterBytes+toDrop), want: ask.fails(silence)},

	{name: "Host reset in clear", steps: inClear, port: 80, box: boxed(named(netlab.HTTP, netlab.Reset), aRequest+toReset), want: ask.fails(reset)},
	{name: "Host dropped in clear", steps: inClear, port: 80, box: boxed(named(netlab.HTTP, netlab.Drop), aRequest+toDrop), want: ask.fails(silence)},
}

var rowsOfQUIC = []row{
	{name: "QUIC and HTTP/3", steps: overH3},
	{name: "QUIC with a hello of two datagrams", steps: overH3, shape: measurements.Default},
	{name: "HTTP/3 never answers", steps: overH3, server: server{mute: true}, want: ask3.fails(silence)},

	{name: "QUIC dropped", steps: overQUIC, box: boxed(every(netlab.UDP, netlab.Drop), aDatagram+toDrop), want: shakeQUIC.fails(silence)},
	{name: "QUIC passes, its answer is dropped", steps: overQUIC, box: boxed(inward(netlab.UDP), "-p udp --sport 443"+toDrop), want: shakeQUIC.fails(silence)},
	{name: "QUIC at a closed port", steps: overQUIC, port: closed, want: shakeQUIC.fails(refused)},
	{name: "QUIC at a closed port, in two datagrams", steps: overQUIC, port: closed, shape: measurements.Default, want: shakeQUIC.fails(refused)},
	{name: "QUIC met by ICMP port unreachable", steps: overQUIC, box: icmp(netlab.UDP, 3, aDatagram), want: shakeQUIC.fails(refused)},
	{name: "QUIC met by ICMP net prohibited", steps: overQUIC, box: icmp(netlab.UDP, 9, aDatagram), want: shakeQUIC.fails(measurements.NetworkUnreach), want6: shakeQUIC.fails(prohibited6)},
	{name: "QUIC met by ICMP admin prohibited", steps: overQUIC, box: icmp(netlab.UDP, 13, aDatagram), want: shakeQUIC.fails(measurements.HostUnreachable), want6: shakeQUIC.fails(prohibited6)},
	{name: "QUIC met by ICMP net unreachable, which is soft", steps: overQUIC, box: icmp(netlab.UDP, 0, aDatagram), want: shakeQUIC.fails(silence)},
	{name: "QUIC met by ICMP host unreachable, which is soft", steps: overQUIC, box: icmp(netlab.UDP, 1, aDatagram), want: shakeQUIC.fails(silence)},

	{name: "QUIC alert: no common ALPN", steps: overQUIC, server: server{alpn: "nothing-of-ours"}, want: shakeQUIC.fails(measurements.TLSAlert(120))},
	{name: "QUIC certificate for another name", steps: overQUIC, server: server{otherName: true}, want: shakeQUIC.fails(measurements.SSLInvalidHostname)},
	{name: "QUIC certificate of another root", steps: overQUIC, server: server{otherRoot: true}, want: shakeQUIC.fails(measurements.SSLUnknownAuthority)},
	{name: "QUIC certificate expired", steps: overQUIC, server: server{expired: true}, want: shakeQUIC.fails(measurements.SSLInvalidCertificate)},
	{
		name: "QUIC version negotiation of a box", steps: overQUIC, want: shakeQUIC.fails(measurements.QUICIncompatibleVersion),
		box: proxied(every(netlab.QUIC, netlab.QUICVersion), server{datagram: negotiate}),
	},
	{
		name: "QUIC close of a box", steps: overQUIC, want: shakeQUIC.fails(measurements.QUICClose(2)),
		box: proxied(netlab.Rule{Protocol: netlab.QUIC, Action: netlab.QUICClose, Alert: 2}, server{datagram: refuse(2)}),
	},
	{
		name: "QUIC alert of a box", steps: overQUIC, want: shakeQUIC.fails(measurements.TLSAlert(112)),
		box: proxied(netlab.Rule{Protocol: netlab.QUIC, Action: netlab.QUICClose, Alert: 0x170}, server{datagram: refuse(0x170)}),
	},
}

var rowsOfDNS = []row{
	{name: "DNS answers", steps: lookup},
	{name: "DNS answers over TCP", steps: lookupTCP},
	{name: "DNS: no such name", steps: lookup, server: server{answer: justCode(dns.RcodeNameError)}, want: resolveUDP.fails(measurements.DNSNXDomain)},
	{name: "DNS: server failure", steps: lookup, server: server{answer: justCode(dns.RcodeServerFailure)}, want: resolveUDP.fails(measurements.DNSServfail)},
	{name: "DNS: refused", steps: lookup, server: server{answer: justCode(dns.RcodeRefused)}, want: resolveUDP.fails(measurements.DNSRefused)},
	{name: "DNS: no address", steps: lookup, server: server{answer: justCode(dns.RcodeSuccess)}, want: resolveUDP.fails(measurements.DNSNoAnswer)},
	{name: "DNS: refused over TCP", steps: lookupTCP, server: server{answer: justCode(dns.RcodeRefused)}, want: resolveTCP.fails(measurements.DNSRefused)},
	{name: "DNS silent", steps: lookup, server: server{answer: nothing}, want: resolveUDP.fails(silence)},
	{name: "DNS silent over TCP", steps: lookupTCP, server: server{asked: hold}, want: resolveTCP.fails(silence)},
	{name: "DNS port closed", steps: lookup, port: closed, want: resolveUDP.fails(refused)},
	{name: "DNS port closed over TCP", steps: lookupTCP, port: closed, want: resolveTCP.fails(refused)},
	{name: "DNS closed over TCP", steps: lookupTCP, server: server{asked: hearBytes}, want: resolveTCP.fails(fin)},
	{name: "DNS reset over TCP by the server", steps: lookupTCP, server: server{asked: then(hearBytes, tear)}, want: resolveTCP.fails(reset)},

	{name: "DNS name dropped", steps: lookup, box: boxed(named(netlab.DNS, netlab.Drop), "-p udp"+aQuery+toDrop), want: resolveUDP.fails(silence)},
	{name: "DNS name reset over TCP", steps: lookupTCP, box: boxed(named(netlab.DNS, netlab.Reset), "-p tcp"+aQuery+toReset), want: resolveTCP.fails(reset)},
	{name: "DNS name met by ICMP", steps: lookup, box: icmp(netlab.DNS, 13, "-p udp"+aQuery), want: resolveUDP.fails(measurements.HostUnreachable), want6: resolveUDP.fails(prohibited6)},
	{
		name: "DNS forged: a bogon", steps: lookup, want: resolveUDP.fails(measurements.DNSBogon),
		box: proxied(netlab.Rule{Protocol: netlab.DNS, Action: netlab.DNSForge, Answer: bogons}, server{answer: forge}),
	},
	{name: "DNS forged: no such name", steps: lookup, box: proxied(every(netlab.DNS, netlab.DNSNXDomain), server{answer: justCode(dns.RcodeNameError)}), want: resolveUDP.fails(measurements.DNSNXDomain)},
	{name: "DNS forged: no address", steps: lookup, box: proxied(every(netlab.DNS, netlab.DNSEmpty), server{answer: justCode(dns.RcodeSuccess)}), want: resolveUDP.fails(measurements.DNSNoAnswer)},
}
