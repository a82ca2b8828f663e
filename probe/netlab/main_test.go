package netlab

import (
	"flag"
	"os"
	"testing"
)

// Much of this is played in real time as well: it waits, and hardly works. The command line can say otherwise.
func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "16")
	os.Exit(m.Run())
}
