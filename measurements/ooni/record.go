package ooni

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

const (
	// MaxLine bounds a record, in bytes, without its line feed. Chosen by us: a round of a large app
	// makes a few hundred KiB, and a stranger's file must not fill a small machine's memory.
	MaxLine = 16 << 20

	// maxValues bounds the JSON values of a record. A hostile line of "{},{},{}" would otherwise
	// become a hundred times its size in memory. Chosen by us: some thousand observations.
	maxValues = 1 << 18

	// TestVersion is the version of how an app is measured and written, whatever the app.
	TestVersion = "0.1.0"

	softwareName = "telltale"
	testPrefix   = "telltale_"

	// schema names the form of x_telltale.
	schema = "telltale/measurement/v1"

	// ooniTime is the form of OONI's times, in UTC (df-000).
	ooniTime = "2006-01-02 15:04:05"
)

// ours is test_keys.x_telltale: the measurement as it is, but for certificate chains.
type ours struct {
	Schema string `json:"schema"`
	measurements.Measurement
}

// Record writes a measurement as one JSON object, without a line feed. Parse reads it back.
//
// It fails where the result would be larger than what Parse accepts, and on times that JSON can't
// write (years past 9999). Times are kept to the nanosecond, durations to the microsecond, and text
// that is not UTF-8 outside of bodies is kept with U+FFFD in place of what is not.
func Record(m measurements.Measurement) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // records are read with grep; nothing shows them in a browser
	if err := enc.Encode(envelope(&m)); err != nil {
		return nil, fmt.Errorf("ooni: measurement %s of %s: %w", m.ID, m.App, err)
	}
	line := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if err := CheckSize(line); err != nil {
		return nil, fmt.Errorf("ooni: measurement %s of %s: %w", m.ID, m.App, err)
	}
	return line, nil
}

func envelope(m *measurements.Measurement) *record {
	return &record{
		Annotations:          annotations(m),
		DataFormatVersion:    "0.2.0",
		Extensions:           map[string]int{"dnst": 0, "httpt": 0, "netevents": 0, "tcpconnect": 0, "tlshandshake": 0},
		MeasurementStartTime: m.Started.UTC().Format(ooniTime),
		Options:              []string{},
		ProbeASN:             "AS" + strconv.Itoa(max(m.Vantage.ASN, 0)),
		ProbeCC:              country(m.Vantage.Country),
		ProbeIP:              "127.0.0.1", // never the own one
		ResolverASN:          "AS0",
		ResolverIP:           "127.0.0.2", // what OONI writes where it is not known
		SoftwareName:         softwareName,
		SoftwareVersion:      m.Software.Version,
		TestKeys:             keys(m),
		TestName:             testPrefix + m.App,
		TestRuntime:          time.Duration(m.Runtime).Seconds(),
		TestStartTime:        m.Started.UTC().Format(ooniTime),
		TestVersion:          TestVersion,
	}
}

func annotations(m *measurements.Measurement) map[string]string {
	out := map[string]string{
		"engine_name":    softwareName,
		"engine_version": m.Software.Version,
		"rules":          m.Software.Rules,
		"catalogue":      m.Software.Catalogue,
	}
	if m.Vantage.Tunnel {
		out["tunnel"] = "true"
	}
	for key, value := range map[string]string{
		"vcs_revision": m.Software.Revision, "go_version": m.Software.GoVersion, "platform": platform(m.Software.OS), "architecture": m.Software.Architecture,
		"epoch": m.Vantage.Epoch, "label": m.Vantage.Label, "network_type": networkType(m.Vantage.Access),
	} {
		if value != "" {
			out[key] = value
		}
	}
	return out
}

// platform is OONI's word for an operating system: Go's, but for one.
func platform(os string) string {
	if os == "darwin" {
		return "macos"
	}
	return os
}

func country(cc string) string {
	if cc == "" {
		return "ZZ"
	}
	return cc
}

// CheckSize refuses a line that is too long, or holds too many values, to be decoded at all.
func CheckSize(line []byte) error {
	if len(line) > MaxLine {
		return fmt.Errorf("the record has %d bytes, more than %d", len(line), MaxLine)
	}
	values, quoted := 0, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == '[' || c == '{'):
			values++
		}
	}
	if values > maxValues {
		return fmt.Errorf("the record has more than %d values", maxValues)
	}
	return nil
}
