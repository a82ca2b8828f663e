// Package probe measures: it is the only code of telltale that opens sockets towards the outside, and
// it opens all of them through a Host. (The page and the helper listen, and no more.)
//
// # Steps
//
// A step is one network operation with one way to fail. It takes an address, not a name:
// resolving is another step. It returns what the next step needs, and an observation that is
// complete on failure too. Steps know no racing, no redirects and no verdicts; nor retries, but where a lost
// datagram would look like silence: UDP DNS, the version ping and STUN ask several times. A scan of hops is
// many connections, and is asked for as one step.
//
//	Host.Resolve         a name at one resolver → addresses
//	Host.Connect         an address → *Conn
//	Settle               *Conn → does it live through silence?
//	Host.TLS             *Conn → *tls.Conn
//	HTTP                 a connection → one exchange over HTTP/1.1 or h2
//	Host.QUIC            an address → *QUICConn
//	HTTP3                *QUICConn → one exchange over HTTP/3
//	Host.VersionPing     an address → does any QUIC server answer there?
//	Host.NearPing        an address → is it this machine or its router that keeps UDP from it?
//	WebSocket            *tls.Conn → *app.WebSocket
//	MTProto, WhatsApp    a connection → the app's own first exchange, and whether it proves itself
//	Host.STUN            an address → does it answer a binding request?
//	Transfer             a connection → how a large body comes; TransferQUIC over HTTP/3
//	Host.Hops            an address and a name → how far from here does a handshake with it die?
//
// # Order and controls
//
// A Plan says which steps are made, where, in which order, and what a failure calls for; the steps know
// nothing of it:
//
//   - round.go: a round; watch.go: one after the other
//   - gate.go and its neighbours: the neutral hosts, first of all; witness.go: once more, when something fails
//   - visit.go and its neighbours: a target's names, addresses and ports; chain.go: the steps on one connection
//   - control.go and its neighbours: further questions to resolvers; elsewhere.go, reference.go: controls X and R
//   - volume.go, gauge.go: transfers; locate.go: hops
//   - sheet.go: what was seen of one app
//
// # Boundaries
//
// This package judges nothing: what a failure means is package measurements' to say.
package probe
