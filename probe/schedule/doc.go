// Package schedule says when to measure, and what must be left alone.
//
// It opens no socket and makes no verdict. Its small parts answer one question each:
//
//	Ledger      did something fail here so recently, or so often, that it must be left alone?
//	Ledger.Due  when is it worth what it costs to look again at what goes on failing?
//	Budget      may this many bytes leave and enter the home now?
//	Next        how long until the next round?
//	Suspicion   what failed lately, since when, and where?
//	Rotation    whose turn is it in this round, beside what is under Suspicion?
//	Deal        … where turns cost much, and no round may have more of them than another?
//
// All of them live for as long as the program and are safe for concurrent use. What must survive a
// restart has a Snapshot and a Restore: a program that is restarted in a loop must neither spend
// more nor touch a resting place.
//
// Time is the standard library's: under testing/synctest a day of rounds takes microseconds.
package schedule
