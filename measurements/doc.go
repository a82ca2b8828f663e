// Package measurements is what was seen and what it means.
//
// It is the judging half of telltale: observations come in, verdicts go out. Judging is pure. It
// runs offline, on stored evidence, as often as wanted, and never dials. The package imports
// nothing else of this module, so that the arrow cmd → config → probe → measurements holds.
//
//   - observation.go and its neighbours, failure.go, measurement.go: what was seen
//   - signature.go, verdict.go: what it can mean
//   - rules.go and its neighbours: the rules, in the order in which they are tried
//   - trial.go: the unit of evidence; sequential.go and its neighbours: what it is worth that a
//     failure comes again; history.go and its neighbours: what earlier rounds taught
package measurements
