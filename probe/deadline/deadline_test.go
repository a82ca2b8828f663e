package deadline

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// The end of the context ends a read that waits, and once that is undone the connection carries again.
func TestObey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		undo := Obey(ctx, near)
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("a read under a context that ends: %v, want a deadline that is over", err)
		}
		undo()
		go func() { _, _ = far.Write([]byte{1}) }()
		if _, err := near.Read(make([]byte, 1)); err != nil {
			t.Fatalf("a read after undo: %v", err)
		}
	})
}

// What is undone in time stays undone: a context that ends later does not touch the connection.
func TestObeyIsUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		ctx, cancel := context.WithCancel(t.Context())
		Obey(ctx, near)()
		cancel()
		synctest.Wait()
		go func() { _, _ = far.Write([]byte{1}) }()
		if _, err := near.Read(make([]byte, 1)); err != nil {
			t.Fatalf("a read after undo, under a context that has ended: %v", err)
		}
	})
}
