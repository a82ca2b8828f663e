// Package probe measures: it is the only code of telltale that opens sockets, and it opens all of
// them through a Host.
//
// # Steps
//
// A step is one network operation with one way to fail. It takes an address, not a name:
// resolving is another step. It returns what the next step needs, and an observation that is
// complete on failure too. Steps know no retries (UDP DNS apart, which is asked three times), no
// racing, no redirects and no verdicts.
//
//	Host.Resolve         a name at one resolver → addresses
//	Host.Connect         an address → *Conn
//	Settle               *Conn → does it live through silence?
//	Host.TLS             *Conn → *tls.Conn
//	HTTP                 a connection → one exchange over HTTP/1.1 or h2
//	Host.QUIC            an address → *QUICConn
//	HTTP3                *QUICConn → one exchange over HTTP/3
//	Host.VersionPing     an address → does any QUIC server answer there?
//
// # Order and controls
//
// round.go and control.go say which steps are made, where, in which order, and what a failure
// calls for. Nothing else does.
//
// # Boundaries
//
// This package judges nothing: what a failure means is package measurements' to say.
package probe
