package ooni

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"unicode"
)

// Line is one line of a file of records, without its line feed and the white space around it.
type Line struct {
	Number int   // from 1
	Offset int64 // of Text, in the file
	// Text is valid until the next line is read. Of a line longer than MaxLine it holds just enough for
	// CheckSize to say so.
	Text []byte
}

// Lines gives the lines of a file that are not blank; the last one needs no line feed. An error of r
// ends it. Whatever the file holds, one line of memory is used.
func Lines(r io.Reader) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		b := bufio.NewReaderSize(r, 64<<10)
		var buf []byte
		offset := int64(0)
		for n := 1; ; n++ {
			line, length, err := readLine(b, buf[:0])
			if err != nil && !errors.Is(err, io.EOF) {
				yield(Line{Number: n, Offset: offset}, err)
				return
			}
			text := bytes.TrimLeftFunc(line, unicode.IsSpace)
			start := offset + int64(len(line)-len(text))
			if text = bytes.TrimSpace(text); len(text) > 0 && !yield(Line{n, start, text}, nil) {
				return
			}
			if err != nil {
				return
			}
			buf, offset = line, offset+length
		}
	}
}

// readLine reads to the next line feed, into buf, and says how many bytes that were. Of a line that is
// too long it keeps just enough to say so, whatever its length.
func readLine(b *bufio.Reader, buf []byte) (line []byte, length int64, err error) {
	line = buf
	for {
		part, err := b.ReadSlice('\n')
		length += int64(len(part))
		if keep := MaxLine + 1 - len(line); len(part) > keep {
			part = part[:keep]
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, length, err
		}
	}
}
