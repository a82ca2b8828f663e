package app

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
)

// keptOfAnswer is how much of an answer goes into the record when it is not the app's. Chosen by us:
// enough to tell a TLS alert, an HTTP status line or another app.
const keptOfAnswer = 64

// mostOfHandshake is what an app's first exchange may take inside its connection, both ways: 3 kB on the wire, less
// the headers of ten segments (72 bytes each, with IPv6 and timestamps) and of half a dozen TLS records (22 each).
const mostOfHandshake = 3000 - 10*72 - 130

// readAhead is how much is asked of a connection at once where its end is not known: what stands behind a refusal
// is not wanted. Chosen by us: a status line or two.
const readAhead = 256

// tap is a connection that counts, keeps the first bytes that come, and stops reading at a bound.
type tap struct {
	net.Conn
	left           int  // to be read yet
	both           bool // what is sent takes of it, too; it is never held back
	sent, received int
	first          []byte
	err            error // the first of reading
}

// tapped taps conn; at most so many bytes are read from it.
func tapped(conn net.Conn, most int) *tap { return &tap{Conn: conn, left: most} }

// measured taps conn for a client's exchange, of which nothing is read any more once it has taken what it may both ways.
func measured(conn net.Conn) *tap { return &tap{Conn: conn, left: mostOfHandshake, both: true} }

func (t *tap) Read(p []byte) (int, error) {
	if t.left <= 0 {
		return 0, t.fail(t.notSpoken(fmt.Sprintf("more than the %d bytes that we read", t.received)))
	}
	n, err := t.Conn.Read(p[:min(len(p), t.left)])
	t.left -= n
	t.received += n
	t.first = append(t.first, p[:min(n, keptOfAnswer-len(t.first))]...)
	return n, t.fail(err)
}

func (t *tap) Write(p []byte) (int, error) {
	n, err := t.Conn.Write(p)
	if t.both {
		t.left -= n
	}
	t.sent += n
	return n, err
}

func (t *tap) fail(err error) error {
	if t.err == nil {
		t.err = err
	}
	return err
}

// enough says whether it was we who read no further: this tap, or whoever bounds the connection under it.
func (t *tap) enough() bool {
	_, ours := errors.AsType[*NotSpoken](t.err)
	return ours
}

// notSpoken is the error of an answer that is not the app's.
func (t *tap) notSpoken(reason string) *NotSpoken {
	return &NotSpoken{Reason: reason, FirstBytes: slices.Clone(t.first)}
}

// kept adds what came to an error that says that it is not the app's.
func (t *tap) kept(err error) error {
	if e, ok := errors.AsType[*NotSpoken](err); ok && e.FirstBytes == nil {
		return t.notSpoken(e.Reason)
	}
	return err
}

// begins says whether what came may be the beginning of, or begins with, such an answer.
func (t *tap) begins(prefix string) bool {
	n := min(len(t.first), len(prefix))
	return bytes.Equal(t.first[:n], []byte(prefix[:n]))
}
