// Package web serves the metrics and a page for the volunteer, on the machine that measures.
//
//	/              what was found in the last round, in words
//	/metrics       the same for Prometheus
//	/api/v1/reference
//	               the same for other telltales, signed; only where it is switched on
//	/api/v1/measurements
//	/api/v1/verdicts
//	               the evidence and the verdicts that are stored, as NDJSON; to who may have them (access.go).
//	               Parameters: since and until (24h, 7d, 2026-11-23, 2026-11-23T08:00:00Z), app (repeatable),
//	               limit (100, at most 1000), cursor. A client goes on with the Link "next" while there is
//	               one, and later with the cursor that the last answer had in its field Telltale-Cursor.
//	/-/healthy     200 while the process serves
//	/-/ready       200 once it is ready, else 503
//	/-/reload      POST or PUT: read the configuration again
//
// The page says who measures what, which some governments would like to know. So it listens on
// loopback unless told otherwise; it loads nothing from elsewhere; and it answers no other web site
// that the volunteer's browser has open: see guard.go.
package web
