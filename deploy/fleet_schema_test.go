package deploy

import (
	"encoding/json"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
)

// read is how a column of the ClickHouse schema is taken out of a record: JSONExtractString(raw, 'a', 'b').
var read = regexp.MustCompile(`JSONExtract(\w+)\((raw|observation), ([^()]+)\)`)

// reads are the schema's, by what they are taken from and by path.
func reads(t *testing.T) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile("fleet/clickhouse/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]string{"raw": {}, "observation": {}}
	for _, found := range read.FindAllStringSubmatch(string(text), -1) {
		out[found[2]][strings.NewReplacer("'", "", ", ", ".").Replace(found[3])] = found[1]
	}
	if len(out["raw"]) < 12 || len(out["observation"]) < 12 {
		t.Fatalf("the schema reads only %v", out)
	}
	return out
}

// fits says whether a value is of the kind that the function of this name reads.
func fits(function string, v any) bool {
	n, number := v.(float64)
	switch function {
	case "String":
		_, ok := v.(string)
		return ok
	case "Bool":
		_, ok := v.(bool)
		return ok
	case "Float":
		return number
	case "UInt":
		return number && n >= 0 && n == math.Trunc(n)
	case "ArrayRaw":
		_, ok := v.([]any)
		return ok
	}
	return false
}

// at follows a path into what JSON was read to.
func at(v any, path string) (any, bool) {
	for _, key := range strings.Split(path, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = object[key]; !ok {
			return nil, false
		}
	}
	return v, true
}

// Every column is where the schema looks for it in real records, and of the kind that it has there. What is left out
// of some, as what failed is of a step that passed, is in others.
func TestClickHouseColumnsAreInTheRecords(t *testing.T) {
	columns := reads(t)
	missing := map[string]bool{}
	for from, paths := range columns {
		for path := range paths {
			missing[from+" "+path] = true
		}
	}
	check := func(from string, v any) {
		for path, function := range columns[from] {
			value, there := at(v, path)
			if there && !fits(function, value) {
				t.Errorf("%s is %.60v: no %s", path, value, function)
			}
			if there {
				delete(missing, from+" "+path)
			}
		}
	}
	for _, l := range lines(t, "innocent-clean-line", "tls-reset-by-name", "tls-reset-by-name-through-a-tunnel") {
		for _, m := range append([]measurements.Measurement{l.round.Gate}, l.round.Apps...) {
			m.Software.Catalogue = "catalogue"
			text, err := ooni.Record(m)
			if err != nil {
				t.Fatal(err)
			}
			var record any
			if err := json.Unmarshal(text, &record); err != nil {
				t.Fatal(err)
			}
			check("raw", record)
			observations, _ := at(record, "test_keys.x_telltale.observations")
			list, _ := observations.([]any)
			for _, o := range list {
				check("observation", o)
			}
		}
	}
	for path := range missing {
		t.Errorf("no record has %s", path)
	}
}
