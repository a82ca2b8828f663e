package measurements

import "testing"

// Silence after a good handshake is a server's as easily as a censor's, unless the kernel says that the
// request was never acknowledged, the answer had begun, or, over QUIC, the site answers over TLS.
func TestServerMayHang(t *testing.T) {
	const name = "web.telegram.org"
	exchange := func(transport string, conn int, edit func(*Observation)) Observation {
		o := met(HTTPExchange, here, Timeout)
		o.Name, o.Transport, o.Conn, o.HTTP, o.Sent = name, transport, conn, &HTTP{Verified: true}, 400
		edit(&o)
		return o
	}
	shaken := func(op Operation, transport string, conn int) Observation {
		o := met(op, here, "")
		o.Name, o.Transport, o.Conn, o.Sent, o.Received, o.TLS, o.Duration = name, transport, conn, 600, 3000, &TLS{Shape: Small}, 0
		return o
	}
	neutral := func(transport string) Observation {
		return exchange(transport, 2, func(o *Observation) {
			o.Control, o.Name, o.Failure, o.HTTP.Status, o.Received = N, "neutral.example.com", "", 404, 9000
		})
	}
	acked := func(n uint64) func(*Observation) {
		return func(o *Observation) { o.TCP = &TCPInfo{BytesAcked: n} }
	}
	overTLS := exchange("tls", 3, func(o *Observation) { o.Failure, o.HTTP.Status = "", 200 })
	for _, c := range []struct {
		name string
		seen []Observation
		want State
	}{
		{"nothing is known of acknowledgements", []Observation{neutral("tls"), shaken(TLSHandshake, "tls", 1), exchange("tls", 1, func(*Observation) {})}, Inconclusive},
		{"the request was acknowledged", []Observation{neutral("tls"), shaken(TLSHandshake, "tls", 1), exchange("tls", 1, acked(1000))}, Inconclusive},
		{"the handshake was acknowledged and the request was not", []Observation{neutral("tls"), shaken(TLSHandshake, "tls", 1), exchange("tls", 1, acked(600))}, Blocked},
		{"the answer had begun", []Observation{neutral("tls"), shaken(TLSHandshake, "tls", 1), exchange("tls", 1, func(o *Observation) { o.HTTP.Status = 200 })}, Blocked},
		{"over QUIC, and nothing over TLS", []Observation{neutral("quic"), shaken(QUICHandshake, "quic", 1), exchange("quic", 1, func(*Observation) {})}, Inconclusive},
	} {
		if got := layerVerdict(t, heard(morning, nil, append([]Observation{resolved()}, c.seen...)...), nil, "web", LayerHTTP); got.State != c.want {
			t.Errorf("%s: %s by %s (%q)", c.name, got.State, got.Rule, got.Reasons)
		}
	}
	quic := []Observation{resolved(), overTLS, neutral("quic"), shaken(QUICHandshake, "quic", 1), exchange("quic", 1, func(*Observation) {})}
	if got := layerVerdict(t, heard(morning, nil, quic...), nil, "web", LayerHTTP); got.State != Blocked || got.Confidence != Suspected {
		t.Errorf("over QUIC, and the site answers over TLS: %s %s by %s", got.State, got.Confidence, got.Rule)
	}
}
