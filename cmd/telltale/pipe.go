package main

import (
	"errors"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// pipeCatcher holds SIGPIPE, by which the Go runtime ends a program whose stdout nobody reads any more: to
// `| head` that is a failure, and there is none. Writing fails instead (os/signal, "SIGPIPE").
type pipeCatcher chan os.Signal

func catchBrokenPipe() pipeCatcher {
	c := make(pipeCatcher, 1)
	signal.Notify(c, syscall.SIGPIPE)
	return c
}

func (c pipeCatcher) release() { signal.Stop(c) }

// brokenPipe says whether writing failed since nobody reads any more. Windows says so in two ways
// (ERROR_BROKEN_PIPE and ERROR_NO_DATA).
func brokenPipe(err error) bool {
	const errorBrokenPipe, errorNoData = syscall.Errno(109), syscall.Errno(232)
	return errors.Is(err, syscall.EPIPE) || runtime.GOOS == "windows" && (errors.Is(err, errorBrokenPipe) || errors.Is(err, errorNoData))
}
