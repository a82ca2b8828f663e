// Package remotewrite makes Prometheus remote-write requests of what /metrics shows.
//
// A Recorder writes the state of a registry down: after each round, with the round's own time stamp, and
// between rounds often enough that a query never loses sight of the vantage (a heartbeat). Each state is a
// message in the store's outbox; package delivery brings it to the receiver in order, through a Writer, which
// speaks Remote-Write 2.0 and falls back to 1.0 (prometheus.io/docs/specs/prw).
//
// Counters, gauges and classic histograms are written under the names and labels that a scrape gives them,
// with job and instance besides. A series that is gone from the registry gets a stale marker. Native histograms
// are left to those who scrape: they would be the same observations once more. The store's size stays here.
// What an info metric says of the volunteer is what /metrics says; instance is a random id.
package remotewrite
