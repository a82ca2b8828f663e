package store

import "os"

// Exhaustive says whether tests that try the same many times are to do so as often as .ci/run does; else a share of it has
// to do. It is for both packages of tests.
func Exhaustive() bool { return os.Getenv("TELLTALE_MATRIX") == "exhaustive" }
