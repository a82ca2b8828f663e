package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress tells on stderr how far a long run is: on a terminal only, and not with --quiet. Its line is on
// the screen while nothing else is written; whoever writes clears it first.
type progress struct {
	w    io.Writer // nil: nobody is told
	what string    // "rounds"
	all  int

	mu    sync.Mutex
	done  int
	shown time.Time
	there bool // the line is on the screen
}

// progressEvery is how often it says so: a terminal may be at the far end of a slow line.
const progressEvery = 100 * time.Millisecond

// progress tells of a run of so many rounds, or of what else is counted.
func (c *cli) progress(w io.Writer, what string, all int) *progress {
	if p, ok := w.(plain); ok {
		w = p.Writer
	}
	if c.Quiet || !isTerminal(w) {
		w = nil
	}
	return &progress{w: w, what: what, all: all}
}

// begin shows the line before anything is done: the first of it may take long.
func (p *progress) begin() { p.add(0) }

// step says that one more is done.
func (p *progress) step() { p.add(1) }

func (p *progress) add(n int) { p.tell(p.what, n, p.all) }

// tell says that n more are done; of something else than before, it counts anew.
func (p *progress) tell(what string, n, all int) {
	if p.w == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if what != p.what {
		p.what, p.all, p.done = what, all, 0
	}
	p.done += n
	if now := time.Now(); now.Sub(p.shown) >= progressEvery {
		p.shown, p.there = now, true
		_, _ = fmt.Fprintf(p.w, "\r\x1b[K%d of %d %s", p.done, p.all, p.what) // erase to the end of the line (ECMA-48)
	}
}

// clear takes the line away.
func (p *progress) clear() {
	if p.w == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.there {
		p.there = false
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
	}
}
