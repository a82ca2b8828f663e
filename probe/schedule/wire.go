package schedule

import (
	"math"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// Sizes in bytes, without the link's own framing, which a volunteer's contract does not count.
const (
	mtu        = 1500    // of Ethernet; a smaller one costs a header more in forty
	ipv4Header = 20      // RFC 791, no options
	ipv6Header = 40      // RFC 8200, no extension headers
	udpHeader  = 8       // RFC 768
	tcpHeader  = 20 + 12 // RFC 9293, with the timestamps (RFC 7323) that Linux and macOS send
	synOptions = 8       // what a SYN has beside timestamps: MSS, SACK permitted, window scale
	icmpError  = 8 + 28  // RFC 792: a header, and the start of what it is about
	quicSize   = 1252    // what QUIC puts in a datagram until it has learnt the path's MTU (RFC 9000, section 14)
)

// Timers of a sender that hears nothing.
const (
	// A SYN is repeated at most six times (Linux, tcp_syn_retries), at first every second (since
	// Linux 6.5, tcp_syn_linear_timeouts).
	synRetries  = 6
	synInterval = time.Second
	// Data is repeated after 200 ms at the earliest (Linux, TCP_RTO_MIN), then after twice as long,
	// and so on (RFC 6298, section 5.5).
	leastRTO = 200 * time.Millisecond
)

// Wire estimates what a step cost on the wire, in bytes: its payload, and the headers, handshakes,
// acknowledgements and repeats around it. Where it can't know it errs upwards, since a budget that
// is kept is worth more than one that is used up. The cost of closing a connection is counted with
// its opening.
func Wire(o measurements.Observation) (out, in int64) {
	ip := ipHeader(o)
	switch {
	case o.Operation == measurements.Connect:
		return connect(o, ip)
	case o.Operation == measurements.QUICHandshake, o.Operation == measurements.QUICVersion, o.Transport == "quic":
		return quic(o, ip)
	case o.Operation == measurements.Resolve && o.Transport != "tcp":
		return datagrams(o, ip)
	}
	out, in = stream(o, ip)
	if o.Operation == measurements.Resolve { // over a connection of its own
		opening := o
		if o.Sent > 0 { // so it was opened, whatever became of it
			opening.Failure = ""
		}
		openOut, openIn := connect(opening, ip)
		out, in = out+openOut, in+openIn
	}
	return out, in
}

// ipHeader is IPv6's, the longer, where the address was left out of the record (the home's own
// resolver). The family of a resolve step is that of the addresses it asked for.
func ipHeader(o measurements.Observation) int64 {
	family := o.Family
	if a := o.Addr(); a.IsValid() {
		family = measurements.FamilyOf(a)
	} else if o.Operation == measurements.Resolve {
		family = measurements.IPv6
	}
	if family == measurements.IPv4 {
		return ipv4Header
	}
	return ipv6Header
}

// connect counts SYN, SYN-ACK and ACK, and two packets each way for the end. A connection that was
// refused or found unreachable cost a SYN and an answer; one that timed out, SYNs alone.
func connect(o measurements.Observation, ip int64) (out, in int64) {
	bare := ip + tcpHeader
	syn := bare + synOptions
	switch o.Failure {
	case "":
		return syn + 3*bare, syn + 2*bare
	case measurements.Timeout:
		return syn * (1 + min(int64(time.Duration(o.Duration)/synInterval), synRetries)), 0
	}
	return syn, max(bare, ip+icmpError)
}

// stream counts payload in full segments, an acknowledgement for every second one (RFC 9293,
// section 3.8.6.3), and the first segment again for each repeat.
func stream(o measurements.Observation, ip int64) (out, in int64) {
	header := ip + tcpHeader
	segments := func(payload int64) int64 { return ceil(payload, mtu-header) }
	outSegments, inSegments := segments(o.Sent), segments(o.Received)
	out = o.Sent + header*(outSegments+ceil(inSegments, 2)) + repeats(o)*(min(o.Sent, mtu-header)+header)
	in = o.Received + header*(inSegments+ceil(outSegments, 2))
	return out, in
}

// repeats counts retransmitted segments: those that the kernel told of, and where it told of none,
// those that a sender makes who gets no answer until the step times out.
func repeats(o measurements.Observation) int64 {
	if o.TCP != nil && o.TCP.Retransmits > 0 {
		return int64(o.TCP.Retransmits)
	}
	if o.Failure != measurements.Timeout || o.Sent == 0 || o.Received > 0 {
		return 0
	}
	return int64(math.Log2(1 + float64(o.Duration)/float64(leastRTO)))
}

// datagrams counts a question a datagram, asked up to three times, and its answers.
func datagrams(o measurements.Observation, ip int64) (out, in int64) {
	asked, answers := int64(1), int64(0)
	if o.Received > 0 {
		answers = 1
	}
	if o.DNS != nil {
		asked, answers = max(asked, int64(o.DNS.Attempts)), answers+int64(len(o.DNS.Late))
	}
	return o.Sent + asked*(ip+udpHeader), o.Received + answers*(ip+udpHeader)
}

// quic counts the datagrams that the step saw, or else what its payload needs, and at least one that
// acknowledges for every second received (RFC 9000, section 13.2.2).
func quic(o measurements.Observation, ip int64) (out, in int64) {
	sent, received := ceil(o.Sent, quicSize), ceil(o.Received, quicSize)
	if o.QUIC != nil {
		sent, received = max(sent, int64(o.QUIC.DatagramsSent)), max(received, int64(o.QUIC.DatagramsReceived))
	}
	sent = max(sent, ceil(received, 2))
	return o.Sent + sent*(ip+udpHeader), o.Received + received*(ip+udpHeader)
}

func ceil(n, unit int64) int64 { return (n + unit - 1) / unit }
