// Package hello reads ClientHellos as an observer on the path sees them: out of TLS records over TCP,
// and out of the Initial packets of QUIC, whose keys anybody can compute.
//
// The prober tells with it the shape of the hello that it sent; the emulated censors of netlab match
// with it, and forge the answers that a box on the path can forge.
//
//   - hello.go, cursor.go: the handshake message
//   - records.go: the message out of TLS records
//   - ja4.go: its fingerprint
//   - initial.go, packet.go, frames.go, keys.go: the message out of QUIC
//   - forge.go: packets in a server's name
//
// # Boundaries
//
// Everything is read from hostile bytes: no input makes a function here panic, read out of bounds, or
// keep more than a fixed amount of memory. Nothing is dialled, and nothing but the standard library is
// needed.
package hello
