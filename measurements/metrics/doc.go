// Package metrics shows rounds and their verdicts as Prometheus metrics.
//
// The names and labels are a contract with dashboards and alerts: families.go has them all. What
// can be known before the first round is there from the start with 0, so that a rate or an alert has
// something to begin with: states, and the steps that the catalogue asks for. What is born by an
// event (a finding, a failure, a verdict) appears with it and stays.
//
// The number of series is bounded, whatever the network answers: see limits.go.
package metrics
