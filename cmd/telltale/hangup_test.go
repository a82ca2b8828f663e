//go:build unix

package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A daemon that hears SIGHUP reads its file again, and goes on with the old one where that is wrong. It has no
// consent here: nothing is measured.
func TestHangUpReloads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "telltale.toml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	demon := exec.Command(os.Args[0], "--config.file="+file, "--store.path="+filepath.Join(dir, "store"), "--web.listen-address=127.0.0.1:0", "run")
	demon.Env = append(os.Environ(), itself+"=1")
	log, err := demon.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := demon.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(5*time.Minute, func() { _ = demon.Process.Kill() }) // whatever it waits for
	defer stop.Stop()
	signal := func(s os.Signal) {
		if err := demon.Process.Signal(s); err != nil {
			t.Error(err)
		}
	}
	steps := []struct {
		said string
		then func()
	}{
		{"nothing is measured without consent", func() { signal(syscall.SIGHUP) }},
		{"the configuration was reloaded", func() { write("nonsense = 1\n"); signal(syscall.SIGHUP) }},
		{"the configuration was not reloaded", func() { signal(syscall.SIGTERM) }},
	}
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if len(steps) > 0 && strings.Contains(lines.Text(), steps[0].said) {
			steps[0].then()
			steps = steps[1:]
		}
	}
	if err := demon.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	for _, left := range steps {
		t.Errorf("it did not say %q", left.said)
	}
}
