package probe_test

import (
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/netlab"
)

// row is one thing that can happen to a client, said once and played in two worlds: over netlab in
// virtual time, and over real sockets through a router in network namespaces.
type row struct {
	name   string
	server server
	box    box
	steps  []step
	shape  measurements.Shape // of the hello; "" is one segment, or one datagram
	port   uint16             // where the steps go, if not to the usual one
	want   outcome            // zero: all steps succeed
	want6  outcome            // over IPv6, where that differs
}

// box is what stands on the path: a rule of netlab's, and what has the same effect in the kernel.
type box struct {
	rule netlab.Rule
	// tables is a rule of the router's chain FORWARD, and tables6 its IPv6 form where that differs.
	tables, tables6 string
	// proxy is for what iptables can't say itself: the router hands connections to a machine that answers
	// in the server's name. tables then only selects them.
	proxy *server
}

// outcome is how the last step ends that is made: the first that fails, or the last of all.
type outcome struct {
	at      measurements.Operation
	failure measurements.Failure
}

// expected is the outcome over a family.
func (r *row) expected(v6 bool) outcome {
	switch {
	case v6 && r.want6 != outcome{}:
		return r.want6
	case r.want == outcome{}:
		return outcome{at: r.steps[len(r.steps)-1].op}
	}
	return r.want
}

// What the boxes look at, in the words of iptables. A ClientHello and a request bear the name in clear;
// in a DNS query the lengths of its labels stand between them (RFC 1035, section 3.1).
const (
	aSYN      = "-p tcp --dport 443 --syn"
	aHello    = "-p tcp --dport 443 -m string --algo bm --string " + site
	aRequest  = "-p tcp --dport 80 -m string --algo bm --string " + site
	aQuery    = " --dport 53 -m string --algo bm --hex-string |03|www|07|example|03|com|00|"
	aDatagram = "-p udp --dport 443"

	afterBytes = "-p tcp --sport 443 -m connbytes --connbytes 32768: --connbytes-dir reply --connbytes-mode bytes"

	toReset = " -j REJECT --reject-with tcp-reset"
	toDrop  = " -j DROP"
)

// every and named are rules for every packet that a protocol begins with, and for those that bear the name.
func every(p netlab.Protocol, do netlab.Action) netlab.Rule {
	return netlab.Rule{Protocol: p, Action: do}
}

func named(p netlab.Protocol, do netlab.Action) netlab.Rule {
	return netlab.Rule{Protocol: p, Names: []string{site}, Action: do}
}

// inward is a rule that lets packets out, and drops what comes back.
func inward(p netlab.Protocol) netlab.Rule {
	return netlab.Rule{Protocol: p, Action: netlab.Drop, Direction: "in"}
}

// boxed is a box that iptables can say.
func boxed(rule netlab.Rule, tables string) box { return box{rule: rule, tables: tables} }

// icmp answers packets by an ICMP code, and by what ICMPv6 has in its place (RFC 4443, section 3.1).
func icmp(p netlab.Protocol, code int, packets string) box {
	words := map[int][2]string{
		0: {"net-unreachable", "no-route"}, 1: {"host-unreachable", "addr-unreachable"}, 3: {"port-unreachable", "port-unreachable"},
		9: {"net-prohibited", "adm-prohibited"}, 10: {"host-prohibited", "adm-prohibited"}, 13: {"admin-prohibited", "adm-prohibited"},
	}[code]
	rule := netlab.Rule{Protocol: p, Action: netlab.ICMP, Code: code}
	reject := packets + " -j REJECT --reject-with "
	return box{rule: rule, tables: reject + "icmp-" + words[0], tables6: reject + "icmp6-" + words[1]}
}

// rules are what netlab has of a box: none where there is none.
func (b *box) rules() []netlab.Rule {
	if b.rule.Action == "" {
		return nil
	}
	return []netlab.Rule{b.rule}
}

// proxied is a box that answers in the server's name.
func proxied(rule netlab.Rule, does server) box {
	packets := "-p tcp --dport 443"
	switch rule.Protocol {
	case netlab.QUIC:
		packets = aDatagram
	case netlab.DNS:
		packets = "-p udp --dport 53"
	}
	return box{rule: rule, tables: packets, proxy: &does}
}
