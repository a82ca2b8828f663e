package ooni

import "github.com/telltale-probe/telltale/measurements"

// startDone names the pair of events that frames an operation.
var startDone = map[measurements.Operation][2]string{
	measurements.Resolve:       {"resolve_start", "resolve_done"},
	measurements.TLSHandshake:  {"tls_handshake_start", "tls_handshake_done"},
	measurements.QUICHandshake: {"quic_handshake_start", "quic_handshake_done"},
	measurements.HTTPExchange:  {"http_transaction_start", "http_transaction_done"},
}

// eventsOf derives what happened on the wire, and when. Steps count their bytes and keep no trace of
// single packets: the bytes stand at the end of the step that sent or received them.
func eventsOf(o *measurements.Observation, s span) []networkEvent {
	failure := failureOf(o.Failure)
	start, done := s, s
	start.T, done.T0 = s.T0, s.T
	switch o.Operation {
	case measurements.Connect:
		return []networkEvent{{Operation: "connect", Failure: failure, Address: o.Endpoint, Proto: "tcp", span: s}}
	case measurements.Settle:
		if o.OK() {
			return nil // nothing was sent and nothing came: there is no event to tell
		}
		return []networkEvent{{Operation: "read", Failure: failure, Address: o.Endpoint, NumBytes: o.Received, Proto: "tcp", span: s}}
	case measurements.QUICVersion, measurements.AppHandshake, measurements.Transfer:
		if o.Sent == 0 && o.Received == 0 {
			return nil // what a proof says once more of an HTTP exchange, which has told of its bytes
		}
		write, read, proto := transport(o)
		return []networkEvent{
			{Operation: write, Address: o.Endpoint, NumBytes: o.Sent, Proto: proto, span: start},
			{Operation: read, Failure: failure, Address: o.Endpoint, NumBytes: o.Received, Proto: proto, span: s},
		}
	}
	names, ok := startDone[o.Operation]
	if !ok {
		return nil
	}
	out := []networkEvent{{Operation: names[0], span: start}}
	if o.Operation != measurements.Resolve {
		out = append(out, transferred(o, s)...)
	}
	return append(out, networkEvent{Operation: names[1], Failure: failure, span: done})
}

// transferred tells the bytes of a step on a connection.
func transferred(o *measurements.Observation, s span) []networkEvent {
	write, read, proto := transport(o)
	var out []networkEvent
	if o.Sent > 0 {
		out = append(out, networkEvent{Operation: write, Address: o.Endpoint, NumBytes: o.Sent, Proto: proto, span: s})
	}
	if o.Received > 0 {
		out = append(out, networkEvent{Operation: read, Address: o.Endpoint, NumBytes: o.Received, Proto: proto, span: s})
	}
	return out
}

// transport gives df-008's words for what a step sends and receives by.
func transport(o *measurements.Observation) (write, read, proto string) {
	if o.Transport == "quic" || o.Transport == "udp" {
		return "write_to", "read_from", "udp"
	}
	return "write", "read", "tcp"
}
