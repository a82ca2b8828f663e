package probe

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// survived runs what reads a peer's bytes with decoders of our own, and makes an error of a panic in it. A bug in
// one of them must not let a stranger end a volunteer's daemon, nor cost the round its other evidence. It is
// not hidden: the error has no word, so that the step fails with "unknown_failure: panic in …", which is counted,
// kept and logged, and which no rule takes for a block.
//
// What the standard library and quic-go start in goroutines of their own is out of its reach. The fuzzers call
// the decoders themselves, and meet their panics.
func survived(read func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in %s: %v", culprit(), r)
		}
	}()
	return read()
}

// culprit is the function that panicked, and the line; to be called while it is recovered.
func culprit() string {
	var callers [16]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers[:])]) // behind this one and its caller
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "runtime.") {
			return fmt.Sprintf("%s, line %d", path.Base(frame.Function), frame.Line)
		}
		if !more {
			return "the runtime"
		}
	}
}
