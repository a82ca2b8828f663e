// Package deadline gives the waits of a connection the ends that they have to obey: a read on a net.Conn knows
// deadlines, and nothing of a context.
package deadline

import (
	"context"
	"net"
	"time"
)

// Past is a deadline that is over in every clock, virtual ones included.
var Past = time.Unix(1, 0)

// Obey lets the end of ctx end what waits on conn, by its deadline: it then fails with os.ErrDeadlineExceeded. It
// gives back a function that undoes it. That one must be called; conn has no deadline after it. Who sets a deadline in
// between has to look at ctx once more, since theirs may have come after Past.
func Obey(ctx context.Context, conn net.Conn) (undo func()) {
	done := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		_ = conn.SetDeadline(Past)
		close(done)
	})
	return func() {
		if !cancel() {
			<-done
		}
		_ = conn.SetDeadline(time.Time{})
	}
}
