// Package noise asks how often we would be wrong: it puts the rules and the history through decades of
// benign failures, at the level of what steps report, and counts what they call blocked. Nothing is
// sent, not even in an emulated network: a hundred million target-rounds take minutes.
//
// The failures are made from a model (rates.go), the observations of the targets that fail are built as
// a round makes them (visit.go), and everything beside that is the real code: Judge and Learn, and in virtual time
// the schedule, with what it leaves alone. Then somebody does block, and the same code shows how soon it is noticed.
//
// What the model leaves out, no count of this package speaks of: see Rates.
package noise
