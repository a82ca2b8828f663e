//go:build !linux

package probe

import "time"

// cpuTime is not known here; the benchmarks then report wall time alone.
func cpuTime() time.Duration { return 0 }
