// Package export writes what a store holds for others to read: for the command line's export, and for
// /api/v1 of package web. Whatever the store holds, a record of memory is used.
//
// There are three forms.
//
// OONI: a measurement a line, in OONI's data format (package ooni), the gate of a round before its apps. It
// has all that judging needs: who judges it again by the same rules gets the same verdicts.
//
// JSON: a round a line, in the form of `once --format=json` (telltale/round/v1), as it was said at the time;
// "round" is the round's id, which test_keys.x_telltale.round of the measurements has too, and "rules" the
// version of the rules. It is a verdict and not a measurement in another form, since there are enough forms of
// evidence: who wants it has OONI's, whose x_telltale is the measurement as it is.
//
// CSV: the same verdicts as a table (RFC 4180), a row for each round, app, target, layer, IP family and
// signature; see table.go.
package export
