package web

import (
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	// longestAnswer bounds an answer whose client reads and reads. Chosen by us: a page of the usual limit is
	// compressed to some 2 MB, which takes a line of 64 kbit/s less.
	longestAnswer = 10 * time.Minute
	// piece is how many bytes must be taken within writeTimeout. Chosen by us: 4 kbit/s.
	piece = 16 << 10
)

// patient writes a long answer: the server's time for writing begins anew with each piece, up to longestAnswer.
type patient struct {
	w    http.ResponseWriter
	conn *http.ResponseController

	mu    sync.Mutex
	until time.Time
}

// patiently gives what long answers are written to. It ends them when the server stops, whatever the client
// does. The caller calls done when he has written all.
func (s *Server) patiently(w http.ResponseWriter) (p *patient, done func()) {
	p = &patient{w: w, conn: http.NewResponseController(w), until: time.Now().Add(longestAnswer)}
	written := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-s.stopping:
			p.end()
		case <-written:
		}
	})
	return p, func() {
		close(written)
		wg.Wait()
	}
}

// end lets what is being written fail, and all that comes.
func (p *patient) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Now()
	_ = p.conn.SetWriteDeadline(p.until) // where a server has none, nothing is to be done
}

// more gives the client time for a piece.
func (p *patient) more() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if !now.Before(p.until) {
		return os.ErrDeadlineExceeded
	}
	deadline := now.Add(writeTimeout)
	if deadline.After(p.until) {
		deadline = p.until
	}
	_ = p.conn.SetWriteDeadline(deadline)
	return nil
}

// Write fails where the client takes too long, and when the server stops.
func (p *patient) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		if err = p.more(); err != nil {
			return n, err
		}
		var m int
		m, err = p.w.Write(b[:min(len(b), piece)])
		n, b = n+m, b[m:]
	}
	return n, err
}
