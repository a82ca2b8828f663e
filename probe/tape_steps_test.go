package probe

import (
	"context"
	"testing"
	"time"
)

// A machine that is busy for longer than a step has still lists all that the step sends; one that never sends it all has
// the list made in the end.
func TestTapeOfABusyMachine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		busy time.Duration
		want int
	}{"not at all": {0, 2}, "for a while": {5 * patience, 2}, "for ever": {time.Hour, 0}} {
		inBubble(t, func(t *testing.T) {
			begun := time.Now()
			sent := overheard(t.Context(), 2, true, func(ctx context.Context, h Host) {
				select {
				case <-time.After(c.busy):
				case <-time.After(handshakeIdle(ctx)): // as a handshake ends
					return
				}
				conn, _ := h.Dial(ctx, "udp4", nowhere.String())
				for range 2 {
					_, _ = conn.Write([]byte("?"))
				}
			})
			if took := time.Since(begun); len(sent) != c.want || took > 2*mostPatience {
				t.Errorf("busy %s: %d messages after %v", name, len(sent), took)
			}
		})
	}
}
