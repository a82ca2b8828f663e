package probe

import (
	"errors"
	"slices"

	"github.com/telltale-probe/telltale/measurements"
)

// class is one kind of Go error, and the word for it.
type class struct {
	says string // what happened, for who reads the table
	// word gives the failure, or "" where the error is not of this kind.
	word func(op measurements.Operation, err error) measurements.Failure
	// example is an error of this kind that no class before it takes; the test walks the examples.
	example func() (measurements.Operation, measurements.Failure, error)
}

// classify names what went wrong in a step. The same error may have two names in two operations. An
// error that no class takes stays visible as unknown_failure, with its text scrubbed.
func classify(op measurements.Operation, err error) measurements.Failure {
	if err == nil {
		return ""
	}
	for _, c := range classes {
		if f := c.word(op, err); f != "" {
			return f
		}
	}
	return measurements.Unknown(scrub(err.Error(), nil))
}

// classes are tried in order, the specific before the general. Certificates come before QUIC, which
// wraps them; QUIC comes before sockets, since every error of quic-go unwraps to net.ErrClosed; errno
// comes before net.ErrClosed and timeouts, which wrap it.
var classes = slices.Concat(ownClasses, certificateClasses, quicClasses, tlsClasses, appClasses, errnoClasses, plainClasses)

type word = func(measurements.Operation, error) measurements.Failure

func gives(op measurements.Operation, err error, f measurements.Failure) func() (measurements.Operation, measurements.Failure, error) {
	return func() (measurements.Operation, measurements.Failure, error) { return op, f, err }
}

// is takes errors that wrap a value.
func is(target error, f measurements.Failure) word {
	return func(_ measurements.Operation, err error) measurements.Failure {
		if errors.Is(err, target) {
			return f
		}
		return ""
	}
}

// as takes errors that wrap a type.
func as[E error](f measurements.Failure) word {
	return func(_ measurements.Operation, err error) measurements.Failure {
		if _, ok := errors.AsType[E](err); ok {
			return f
		}
		return ""
	}
}

// during narrows a word to some operations.
func during(w word, ops ...measurements.Operation) word {
	return func(op measurements.Operation, err error) measurements.Failure {
		for _, o := range ops {
			if o == op {
				return w(op, err)
			}
		}
		return ""
	}
}
