//go:build race

package remotewrite_test

import "time"

// simulated is shorter than a week under the race detector, which makes the database thirty times slower.
const simulated = 12 * time.Hour
