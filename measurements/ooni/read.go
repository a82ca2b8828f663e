package ooni

import (
	"bufio"
	"bytes"
	"errors"
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
		b := bufio.NewReaderSize(r, 64<<10)
		for n := 1; ; n++ {
			line, err := readLine(b)
			if err != nil && !errors.Is(err, io.EOF) {
				yield(measurements.Measurement{}, fmt.Errorf("line %d: %w", n, err))
				return
			}
			if text := bytes.TrimSpace(line); len(text) > 0 {
				m, parseErr := Parse(text)
				if parseErr != nil {
					parseErr = fmt.Errorf("line %d: %w", n, parseErr)
				}
				if !yield(m, parseErr) {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
}

// readLine reads to the next line feed. Of a line that is too long it keeps just enough for Parse to
// say so, whatever its length.
func readLine(b *bufio.Reader) (line []byte, err error) {
	for {
		part, err := b.ReadSlice('\n')
		if keep := MaxLine + 1 - len(line); len(part) > keep {
			part = part[:keep]
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}
