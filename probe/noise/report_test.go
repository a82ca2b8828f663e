package noise

import (
	"strings"
	"testing"
	"time"

	ms "github.com/telltale-probe/telltale/measurements"
)

// The bar is a rate: few false findings in much time hold it, the same in little time do not, and none fails none.
func TestHeld(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, tt := range []struct {
		name  string
		time  time.Duration
		false map[ms.Confidence]int
		want  string
	}{
		{"none, in a month", year / 12, nil, ""},
		{"one confirmed in 92 years", 92 * year, map[ms.Confidence]int{ms.Confirmed: 1, ms.Likely: 1}, ""},
		{"one confirmed in a year", year, map[ms.Confidence]int{ms.Confirmed: 1, ms.Likely: 1}, "confirmed"},
		{"three likely in a year", year, map[ms.Confidence]int{ms.Likely: 3}, ""},
		{"thirty likely in a year", year, map[ms.Confidence]int{ms.Likely: 30}, "likely"},
	} {
		err := (&OutcomeReport{Time: tt.time, False: tt.false}).Held()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
