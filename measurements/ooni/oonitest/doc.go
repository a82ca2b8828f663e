// Package oonitest holds records against OONI's data format: every key, its type, and the words that
// it may have. For tests alone.
//
// The table in forms.go is that of ooni/spec (df-000, -001, -002, -005, -006, -007 and -008 of 2025-06-06)
// and of what probe-cli writes (internal/model/archival.go, 2026-08-14). It is written by hand from
// these, not derived from our own types: a mistake there must not be one here.
package oonitest
