package netlab

import (
	"io"
	"os"
	"sync"
	"time"
)

// windowSize bounds what is under way in one direction: a writer waits for its reader.
const windowSize = 256 << 10

// half is one direction of a stream: bytes with the time at which each arrives, and an end. Reader
// and writer wait on a channel that is closed at every change, never on a lock, so that virtual time
// can pass.
type half struct {
	mu     sync.Mutex
	change chan struct{}

	queue []piece
	bytes int
	last  time.Time // nothing overtakes

	end      error // io.EOF, or the errno of a reset; nil while open
	endAt    time.Time
	told     bool // the end was told once: errors of sockets are one-shot
	shut     error
	readBy   time.Time
	writeBy  time.Time
	swallows bool      // the reader is gone
	until    time.Time // what arrives from then on is lost; zero means never
}

type piece struct {
	data []byte
	at   time.Time
}

func newHalf() *half { return &half{change: make(chan struct{})} }

// changed wakes everybody who waits. The caller holds the lock.
func (h *half) changed() {
	close(h.change)
	h.change = make(chan struct{})
}

// put sends bytes that arrive at a time.
func (h *half) put(b []byte, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.end != nil || h.swallows || len(b) == 0 {
		return
	}
	if at.Before(h.last) {
		at = h.last
	}
	if h.tooLate(at) {
		return
	}
	h.last = at
	h.queue = append(h.queue, piece{append([]byte(nil), b...), at})
	h.bytes += len(b)
	h.changed()
}

// finish ends the direction with io.EOF or an errno, at a time but not before what is under way. A
// reset overtakes what was not put yet.
func (h *half) finish(err error, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.end != nil {
		return
	}
	if err == io.EOF && at.Before(h.last) {
		at = h.last
	}
	if h.tooLate(at) {
		return
	}
	h.end, h.endAt = err, at
	h.changed()
}

// tooLate says whether what arrives then finds nobody any more. The caller holds the lock.
func (h *half) tooLate(at time.Time) bool { return !h.until.IsZero() && !at.Before(h.until) }

// room waits until there is room for more, and says why there never will be.
func (h *half) room() error {
	for {
		h.mu.Lock()
		if h.shut != nil {
			defer h.mu.Unlock()
			return h.shut
		}
		if expired(h.writeBy) {
			h.mu.Unlock()
			return os.ErrDeadlineExceeded
		}
		if h.bytes < windowSize || h.swallows || h.end != nil {
			h.mu.Unlock()
			return nil
		}
		change, by := h.change, h.writeBy
		h.mu.Unlock()
		wait(change, by)
	}
}

// read takes what has arrived.
func (h *half) read(b []byte) (int, error) {
	for {
		h.mu.Lock()
		if n, err, done := h.take(b); done {
			h.mu.Unlock()
			return n, err
		}
		change, until := h.change, h.readBy
		for _, t := range []time.Time{h.next(), h.endAt} {
			if !t.IsZero() && (until.IsZero() || t.Before(until)) {
				until = t
			}
		}
		h.mu.Unlock()
		wait(change, until)
	}
}

// take is what a read finds now, and whether it need not wait.
func (h *half) take(b []byte) (int, error, bool) {
	now := time.Now()
	switch {
	case h.shut != nil:
		return 0, h.shut, true
	case len(b) == 0:
		return 0, nil, true
	case expired(h.readBy):
		return 0, os.ErrDeadlineExceeded, true
	case len(h.queue) > 0 && !h.queue[0].at.After(now) && !(h.end != nil && h.end != io.EOF && h.endAt.Before(h.queue[0].at)):
		n := copy(b, h.queue[0].data)
		h.queue[0].data = h.queue[0].data[n:]
		if len(h.queue[0].data) == 0 {
			h.queue = h.queue[1:]
		}
		h.bytes -= n
		h.changed()
		return n, nil, true
	case h.end != nil && !h.endAt.After(now):
		if h.told {
			return 0, io.EOF, true
		}
		h.told = true
		return 0, h.end, true
	}
	return 0, nil, false
}

func (h *half) next() time.Time {
	if len(h.queue) == 0 {
		return time.Time{}
	}
	return h.queue[0].at
}

// close is the reader's or the writer's own close: err is what its later calls get.
func (h *half) close(err error, reader bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if reader {
		h.swallows, h.shut = true, err
		h.queue, h.bytes = nil, 0
	}
	h.changed()
}

func (h *half) deadline(read bool, t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if read {
		h.readBy = t
	} else {
		h.writeBy = t
	}
	h.changed()
}

func expired(t time.Time) bool { return !t.IsZero() && !t.After(time.Now()) }

// wait sleeps until the channel is closed or the time has come; a zero time never comes.
func wait(change <-chan struct{}, until time.Time) {
	if until.IsZero() {
		<-change
		return
	}
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-change:
	case <-t.C:
	}
}
