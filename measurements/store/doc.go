// Package store keeps what was measured and what was said about it, on the volunteer's own disk.
//
// A store is a directory that only its owner can read:
//
//	telltale.db                           the database (SQLite): evidence, verdicts, onsets, the outbox, and what
//	                                      the program must remember across restarts
//	telltale.db-wal, telltale.db-shm      its write-ahead log and the index of that, while it is open or after a crash
//	telltale.db.corrupt-20261123T080000Z  a damaged database that was set aside; three at most
//	state-NAME.json                       a secret key, in a file of its own: see SaveKey
//	lock                                  held by the one process that writes
//
// A round is in the database, and on the disk, when Append or Keep returns nil: kill -9 and a power cut
// cost at most the round that was being written (write-ahead log, synchronous=FULL). A full disk and a
// damaged file cost evidence, never the daemon.
//
// A measurement is kept as its own JSON, compressed; package ooni derives OONI's keys from it again
// (ooni.Record). Certificates and the pages of strangers come again in every round, and are kept once.
package store
