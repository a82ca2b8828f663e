package probe

import (
	"net/http"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/app"
)

// LINE's gateways answer a request that has this field, with 1 in it, with status 200, and put the real one into
// a field of their own (app.LEGYStatus). Source: public LINE clients, not re-checked.
const legyAsks = "x-lpv"

// proof says whether an answer has what the app alone sends, and the status inside it.
func proof(in HTTPInput, h http.Header) (status int, proved bool) {
	switch {
	case in.Speaks == measurements.LEGY:
		return app.LEGYStatus(h, 0)
	case in.ProofHeader != "":
		return 0, h.Get(in.ProofHeader) != ""
	}
	return 0, false
}

// proved tells once more, as the app's own exchange, of an answer over verified TLS in which a proof was
// looked for. It had no bytes of its own.
func proved(in HTTPInput, x measurements.Observation) (o measurements.Observation, ok bool) {
	protocol := in.Speaks
	if protocol == "" && in.ProofHeader != "" {
		protocol = measurements.HeaderProtocol
	}
	if protocol == "" || !x.OK() || !x.HTTP.Verified {
		return o, false
	}
	o = measurements.Observation{
		Operation: measurements.AppHandshake, Transport: x.Transport, Family: x.Family, Endpoint: x.Endpoint, Name: x.Name,
		Started: x.Started, Duration: x.Duration, LocalPort: x.LocalPort,
		App: &measurements.Handshake{Protocol: protocol, Code: int32(x.HTTP.AppStatus)},
	}
	if x.HTTP.Proved {
		o.App.Proof = measurements.ProvedProtocol
	} else {
		o.Failure = measurements.AppNotSpoken
	}
	return o, true
}
