//go:build !race

package remotewrite_test

import "time"

// simulated is how long the vantage of the receivers' test is offline.
const simulated = 7 * 24 * time.Hour
