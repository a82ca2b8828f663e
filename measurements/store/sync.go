package store

import (
	"errors"
	"os"
	"runtime"
)

// syncDir makes a directory's entries outlive a power cut. Windows has no such call, and needs none.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
