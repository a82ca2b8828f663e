package strict

import (
	"io"
	"os"
)

// ReadFile reads a file for Parse. It reads no more than Parse needs to refuse one that is too large,
// so that a device or an endless pipe costs no memory.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened to read: nothing can be lost
	return io.ReadAll(io.LimitReader(f, MaxSize+1))
}
