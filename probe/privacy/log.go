package privacy

import (
	"io"
	"sync"
	"time"
)

// fresh is how long a log believes what it has read of this machine. Chosen by us: addresses change with the
// network, and lines are few.
const fresh = time.Minute

// Writer passes lines of a log on without what is ours, and without any address but loopback ones and those that
// the configuration names. Nothing is torn out of JSON that would make it another form. It is safe for concurrent
// use as far as To is.
type Writer struct {
	To    io.Writer
	Own   func() Own // is asked again after a while
	Known Known
	// Learnt, if set, gives what is known beside that; another pointer when there is more.
	Learnt func() *Own

	mu       sync.Mutex
	read     time.Time
	learnt   *Own
	scrubber *Scrubber
}

// Write writes one line.
func (w *Writer) Write(line []byte) (int, error) {
	text := string(line)
	if out := w.current().Text(text); out != text {
		line = []byte(out)
	}
	if _, err := w.To.Write(line); err != nil {
		return 0, err
	}
	return len(text), nil
}

func (w *Writer) current() *Scrubber {
	w.mu.Lock()
	defer w.mu.Unlock()
	var learnt *Own
	if w.Learnt != nil {
		learnt = w.Learnt()
	}
	if now := time.Now(); w.scrubber == nil || now.Sub(w.read) > fresh || now.Before(w.read) || learnt != w.learnt {
		own := w.Own()
		if learnt != nil {
			own = own.With(*learnt)
		}
		w.read, w.learnt, w.scrubber = now, learnt, New(own, w.Known, nil)
	}
	return w.scrubber
}
