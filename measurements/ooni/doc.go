// Package ooni writes measurements in the data format that the field already reads, and reads them
// back: OONI's data format 0.2.0 (ooni/spec, df-000 and the df-001, -002, -005, -006 and -008 that
// it refers to), one JSON object a line.
//
// A record says everything twice. Once in OONI's own keys, for the tools that know them; once under
// test_keys.x_telltale, where our measurement stands as it is, so that it can be judged again. Only
// certificate chains are not repeated: they are large, and tls_handshakes has a place for them.
// Every observation has a transaction_id, its index plus one, which ties the two together.
//
// Records never carry an OONI test name: what looks like OONI's own data must be OONI's own.
package ooni
