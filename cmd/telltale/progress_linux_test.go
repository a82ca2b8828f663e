package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// onTerminal gives what a program writes to its stderr where that is a terminal (pty(7)).
func onTerminal(t *testing.T, args ...string) (code int, seen string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here:", err)
	}
	defer func() { _ = master.Close() }()
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Skip("no pseudo-terminals here:", err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here:", err)
	}
	screen := make(chan string)
	go func() {
		b, _ := io.ReadAll(master) // ends with an error when the program's end is closed
		screen <- string(b)
	}()
	code = run(args, terminal{strings.NewReader(""), io.Discard, tty})
	_ = tty.Close()
	return code, <-screen
}

// Long runs tell on a terminal how far they are, and take it away again; --quiet tells nothing.
func TestProgress(t *testing.T) {
	dir := storeOf(t, played(t, "innocent-clean-line"))
	for _, test := range []struct {
		what string
		args []string
	}{
		{"1 of 1 rounds", []string{"--store.path=" + dir, "export"}},
		{"1 of 1 rounds", []string{"judge", dir}},
		{"0 of 1 scenarios", []string{"lab", "run", "tls-reset-by-name"}},
		{" scenarios", []string{"lab", "matrix", "--app=signal", "--innocent"}},
	} {
		code, seen := onTerminal(t, test.args...)
		if code != exitDone || !strings.Contains(seen, test.what) || !strings.HasSuffix(seen, "\r\x1b[K") {
			t.Errorf("%v: exit %d: %q", test.args, code, seen)
		}
		if code, seen = onTerminal(t, append([]string{"--quiet"}, test.args...)...); code != exitDone || seen != "" {
			t.Errorf("--quiet %v: exit %d: %q", test.args, code, seen)
		}
	}
}
