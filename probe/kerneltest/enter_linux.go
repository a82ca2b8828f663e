package kerneltest

import (
	"os"

	"golang.org/x/sys/unix"
)

// enter moves the calling thread into a namespace that `ip netns add` made.
func enter(namespace string) error {
	f, err := os.Open("/var/run/netns/" + namespace)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Setns(int(f.Fd()), unix.CLONE_NEWNET)
}
