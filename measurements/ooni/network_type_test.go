package ooni

import (
	"encoding/json"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
)

// The access is in OONI's annotation, in its words, and in ours as it was.
func TestNetworkType(t *testing.T) {
	for access, want := range map[measurements.Access]string{
		measurements.AccessWiFi: "wifi", measurements.AccessMobile: "mobile", measurements.AccessWired: "wired",
		measurements.AccessTunnel: "vpn", measurements.AccessUnknown: "",
	} {
		line, err := Record(measurements.Measurement{App: "line", Vantage: measurements.Vantage{Access: access}})
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Annotations map[string]string
			TestKeys    struct {
				Telltale struct {
					Vantage struct{ Access measurements.Access }
				} `json:"x_telltale"`
			} `json:"test_keys"`
		}
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatal(err)
		}
		said, there := got.Annotations["network_type"]
		if said != want || there != (want != "") || got.TestKeys.Telltale.Vantage.Access != access {
			t.Errorf("%q: network_type %q (there: %v), ours %q", access, said, there, got.TestKeys.Telltale.Vantage.Access)
		}
	}
}
