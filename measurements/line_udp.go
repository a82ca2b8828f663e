package measurements

// refusedNearby says whether ICMP refuses QUIC of every neutral host in a family, and it is this machine or the
// first router that does, at two operators' hosts. A router has rules of its own for each family.
func refusedNearby(g *Measurement, f Family) bool {
	operators, _ := operatorsOf(g, anywhere)
	handshakes, near := map[string]bool{}, map[string]bool{}
	for i := range g.Observations {
		o := &g.Observations[i]
		switch {
		case o.Family != f:
		case o.Operation == QUICHandshake && !o.refused():
			return false
		case o.Operation == QUICHandshake:
			handshakes[operators[o.Target]] = true
		case o.Operation == QUICVersion && o.QUIC != nil && o.QUIC.FirstHop:
			near[operators[o.Target]] = true
		}
	}
	return len(handshakes) >= minOperators && len(near) >= minOperators
}

// readNearPings notes how far datagrams to UDP port 443 get, where neutral hosts' QUIC met nothing but silence.
func (l *Line) readNearPings(g *Measurement, f Family) {
	for i := range g.Observations {
		o := &g.Observations[i]
		if o.Family != f || o.Operation != QUICVersion || o.QUIC == nil {
			continue
		}
		l.UDP443Swallowed[f] = l.UDP443Swallowed[f] || o.QUIC.FirstHop && o.Failure == Timeout
		l.UDP443Farther[f] = l.UDP443Farther[f] || o.QUIC.Farther
	}
}

// concludeUDP443 says in which families UDP port 443 is refused at home.
func (l *Line) concludeUDP443() {
	const so = "this machine or the first router refuses everything over UDP port 443"
	switch v4, v6 := l.UDP443Refused[IPv4], l.UDP443Refused[IPv6]; {
	case v4 && (v6 || !l.QUICTried[IPv6]), v6 && !l.QUICTried[IPv4]:
		l.say(LocalUDP443Blocked, so+": programs go on over TCP")
	case v4:
		l.say(LocalUDP443Blocked, so+" of IPv4: programs go on over IPv6, or TCP")
	case v6:
		l.say(LocalUDP443Blocked, so+" of IPv6: programs go on over IPv4, or TCP")
	}
}

// refused says whether ICMP, or a route table, refused the step.
func (o *Observation) refused() bool {
	return o.Failure == ConnectionRefused || o.Failure.IsUnreachable()
}
