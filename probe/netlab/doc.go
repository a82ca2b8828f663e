// Package netlab is an emulated, censored internet in memory: hosts at their real names and
// addresses, derived from the catalogue; links with latency, jitter, loss and bandwidth; and rules
// that censor, as a box on the path would.
//
// It lives in real time (the demo) and in virtual time (testing/synctest), where a ten-second
// timeout costs microseconds. Fakes fail like the kernel: the same nests of errors come back that a
// Linux socket returns.
//
//   - rule.go: what a censor is; scenario files decode into it
//   - network.go, link.go, half.go, stream.go, datagram.go: the wire
//   - flow.go and the censor files: the boxes on the path; intercept.go: one that takes the server's place
//   - world.go and its neighbours: the hosts; faults.go: their innocent troubles
//
// # Boundaries
//
// Nothing here opens a socket. TCP is emulated at the level of streams: there are no sequence
// numbers, no TTLs and no packets to capture. Datagrams have a hop limit, at which a router answers.
package netlab
