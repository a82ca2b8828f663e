package ooni

import (
	"fmt"
	"io"
	"iter"

	"github.com/telltale-probe/telltale/measurements"
)

// Read gives the measurements of a file with one record a line. A line that Parse refuses yields an
// error that names the line, and reading goes on after it: one bad record must not hide the others.
// An error of r ends it. Blank lines are passed over; the last line needs no line feed.
func Read(r io.Reader) iter.Seq2[measurements.Measurement, error] {
	return func(yield func(measurements.Measurement, error) bool) {
		for line, err := range Lines(r) {
			var m measurements.Measurement
			if err == nil {
				m, err = Parse(line.Text)
			}
			if err != nil {
				err = fmt.Errorf("line %d: %w", line.Number, err)
			}
			if !yield(m, err) {
				return
			}
		}
	}
}
