package probe

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain runs the tests, or the servers of the benchmarks where those have started this binary
// again. After the tests no goroutine of ours may be left.
func TestMain(m *testing.M) {
	DisableScrambling()
	if os.Getenv(benchServerEnv) != "" {
		serveBench()
		return
	}
	_ = flag.Set("test.parallel", "16") // they wait for timeouts, and hardly work; the command line can say otherwise
	code := m.Run()
	if left := leftovers(time.Minute); code == 0 && left != "" {
		fmt.Fprintln(os.Stderr, "goroutines are left behind:\n\n"+left)
		code = 1
	}
	os.Exit(code)
}

// leftovers waits for goroutines to end, and gives the stacks of those that do not.
func leftovers(patience time.Duration) string {
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		buffer := make([]byte, 1<<20)
		buffer = buffer[:runtime.Stack(buffer, true)]
		var left []string
		for _, g := range strings.Split(string(buffer), "\n\n") {
			ours := strings.Contains(g, "telltale/probe.") || strings.Contains(g, "quic-go.") || strings.Contains(g, "net/http.")
			if ours && !strings.Contains(g, "TestMain") {
				left = append(left, g)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return strings.Join(left, "\n\n")
		}
	}
}
