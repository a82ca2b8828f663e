package export

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

var errWhen = errors.New("must be how long ago (90m, 24h, 7d), a day in UTC (2026-11-23) or a time (2026-11-23T08:00:00Z)")

// When reads the moment that somebody means: a time back from now, in the units of the configuration; a day,
// which is its midnight, UTC; or a time of RFC 3339.
func When(text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return time.Time{}, errWhen
		}
		return now.Add(-time.Duration(n) * 24 * time.Hour), nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errWhen
}
