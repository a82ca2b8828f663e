package measurements

// oneSegment is the most that a TCP segment carries on an Ethernet path (RFC 6691): a clear request of the
// gate's that sent more needed two, as our large hello does.
const oneSegment = 1460

// sizes is what the gate says of large packets in one family.
type sizes struct {
	split    map[string]bool // operators whose host answered the small hello, and met the large one with silence
	passed   bool            // a large hello was answered somewhere
	requests int             // clear requests of two segments that met silence
	answered int             // and such that were answered
}

// sizesOf reads the gate for one family.
func sizesOf(g *Measurement, f Family) sizes {
	out := sizes{split: map[string]bool{}}
	operators, _ := operatorsOf(g, anywhere)
	small := map[string]bool{}
	for i := range g.Observations {
		o := &g.Observations[i]
		if o.Operation == TLSHandshake && o.Family == f && o.TLS != nil && o.TLS.Shape == Small && o.answered() {
			small[o.Target] = true
		}
	}
	for i := range g.Observations {
		o := &g.Observations[i]
		switch {
		case o.Family != f:
		case o.Operation == TLSHandshake && o.TLS != nil && o.TLS.Shape == Default:
			if o.Failure == Timeout && small[o.Target] {
				out.split[operators[o.Target]] = true
			}
			out.passed = out.passed || o.answered()
		case o.Operation == HTTPExchange && o.Transport == "tcp" && o.Sent > oneSegment:
			if o.OK() {
				out.answered++
			} else if o.Failure == Timeout {
				out.requests++
			}
		}
	}
	return out
}

// readSizes notes for each family whether our large hellos die whoever is asked, and whether it is the size
// of packets that kills them: requests in clear, of as many segments, are lost as well.
func (l *Line) readSizes(g *Measurement) {
	l.LargeHellosDie, l.LargePacketsDie = map[Family]bool{}, map[Family]bool{}
	for _, f := range []Family{IPv4, IPv6} {
		s := sizesOf(g, f)
		l.LargeHellosDie[f] = len(s.split) >= minOperators && !s.passed
		l.LargePacketsDie[f] = l.LargeHellosDie[f] && s.requests > 0 && s.answered == 0
	}
}

// concludeSizes tells of a line that loses large packets, or large hellos alone.
func (l *Line) concludeSizes() {
	switch {
	case l.LargePacketsDie[IPv4] || l.LargePacketsDie[IPv6]:
		l.State = Local
		l.say(LocalMTU, "neutral hosts of two operators answer our small hello, and neither the large one nor a large request in clear: packets that are full get lost on this line")
	case l.LargeHellosDie[IPv4] || l.LargeHellosDie[IPv6]:
		l.State = Inconclusive
		l.say(TLSTimeoutFingerprint, "neutral hosts of two operators answer our small hello and not the large one; no request in clear shows that large packets get lost")
	}
}

// largeAnswersDie says whether small answers pass and full ones do not: every handshake over TCP ends in silence after a connect, QUIC's
// datagrams, which are smaller than full segments, pass, and so do short answers in clear. A filter that lets
// no TLS through looks the same, so that it names no signature.
func largeAnswersDie(g *Measurement) bool {
	quic, clear, tls := map[string]bool{}, map[string]bool{}, 0
	operators, _ := operatorsOf(g, anywhere)
	for i := range g.Observations {
		switch o := &g.Observations[i]; {
		case o.Operation == TLSHandshake && o.Failure != Timeout:
			return false
		case o.Operation == TLSHandshake:
			tls++
		case o.Operation == QUICHandshake && o.OK():
			quic[operators[o.Target]] = true
		case o.Operation == HTTPExchange && o.Transport == "tcp" && o.OK():
			clear[operators[o.Target]] = true
		}
	}
	return tls > 0 && len(quic) >= minOperators && len(clear) >= minOperators
}
