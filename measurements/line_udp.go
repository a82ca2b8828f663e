package measurements

// refusedNearby says whether ICMP refuses QUIC of every neutral host, and it is this machine or the first router
// that does, at two operators' hosts.
func refusedNearby(g *Measurement) bool {
	operators, _ := operatorsOf(g, anywhere)
	handshakes, near := map[string]bool{}, map[string]bool{}
	for i := range g.Observations {
		o := &g.Observations[i]
		switch {
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

// refused says whether ICMP, or a route table, refused the step.
func (o *Observation) refused() bool {
	return o.Failure == ConnectionRefused || o.Failure.IsUnreachable()
}
