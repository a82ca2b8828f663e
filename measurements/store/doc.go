// Package store keeps what was measured and what was said about it, on the volunteer's own disk.
//
// A store is a directory that only its owner can read:
//
//	measurements-2026-11-23.ndjson       the evidence: one measurement a line, as package ooni writes it
//	verdicts-2026-11-23.ndjson           what the rules of that day said: one round a line
//	measurements-2026-11-23.ndjson.torn  half a line that a crash left behind, out of the way
//	state-NAME.json                      what a part of the program must remember across restarts
//	lock                                 held by the one process that writes
//
// A day is that of the round's start, in UTC. Lines are written whole and are on the disk when
// Append returns: a power cut costs at most the round that was being written.
package store
