package deploy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/telltale-probe/telltale/measurements"
)

// inVictoriaLogs: it takes the records as they are, and keeps what comes twice; a question counts it once.
func inVictoriaLogs(t *testing.T, dir string, want []record) {
	program := tool(t, "victoria-logs")
	server := free(t)
	started(t, regexp.MustCompile(`(started server at)`), program, "-httpListenAddr="+server, "-storageDataPath="+t.TempDir(),
		"-retentionPeriod=2y", "-insert.maxLineSizeBytes=2MiB")
	delivered(t, "victorialogs", proxied(t, server), dir)
	_ = get(t, server, "/internal/force_flush", nil).Close()
	body := get(t, server, "/select/logsql/query", url.Values{"query": {
		`* | stats by (_msg) min(_time) at, count_uniq(test_keys.x_telltale.observations) different, count() lines`}})
	defer func() { _ = body.Close() }()
	got, repeated := map[string]string{}, 0
	for d := json.NewDecoder(body); ; {
		var fields map[string]string
		if err := d.Decode(&fields); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		got[fields["_msg"]] = fields["at"] + " " + fields["different"]
		if fields["lines"] != "1" {
			repeated++
		}
	}
	have := map[string]string{}
	for _, r := range want {
		have[r.id] = r.of.Started.UTC().Format("2006-01-02T15:04:05.999Z") + " 1"
	}
	if diff := cmp.Diff(have, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if repeated == 0 {
		t.Error("nothing came twice: the test tests nothing")
	}
}

// clickHouse starts ClickHouse's engine with our schema in it.
func clickHouse(t *testing.T) (server string) {
	t.Helper()
	node := tool(t, "node")
	if out, err := exec.Command(node, "-e", "require('chdb')").CombinedOutput(); err != nil {
		if os.Getenv(wanted) == "require" {
			t.Fatalf("%v: .ci/deploy installs it\n%.300s", err, out)
		}
		t.Skip("node has no chdb in its NODE_PATH")
	}
	server = started(t, regexp.MustCompile(`listening on (\S+)`), node, "testdata/clickhouse.js", t.TempDir())
	schema, err := os.ReadFile("fleet/clickhouse/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	rows(t, server, string(schema))
	return server
}

// rows asks ClickHouse, which answers with a row a line.
func rows(t *testing.T, server, query string) []string {
	t.Helper()
	response, err := http.Post("http://"+server+"/", "text/plain", strings.NewReader(query))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s\n%s: %s, %v", query, response.Status, text, err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// inClickHouse: it takes the records by the gateway's statement; each is there once, byte for byte, and so is each
// step of it.
func inClickHouse(t *testing.T, dir string, want []record) {
	server := clickHouse(t)
	delivered(t, "clickhouse", proxied(t, server), dir)
	var texts []string
	steps, failed := 0, 0
	for _, r := range want {
		texts = append(texts, r.text)
		steps += len(r.of.Observations)
		for _, o := range r.of.Observations {
			if o.Failure != "" {
				failed++
			}
		}
	}
	slices.Sort(texts)
	got := rows(t, server, "SELECT raw FROM telltale.evidence FINAL ORDER BY raw")
	if !slices.Equal(got, texts) {
		t.Errorf("%d records, want %d", len(got), len(texts))
	}
	for query, want := range map[string]string{
		"SELECT uniqExact(id), count() >= uniqExact(id) FROM telltale.evidence":                          fmt.Sprintf("%d\t1", len(want)), // repeats may be merged already
		"SELECT count(), countIf(failure != ''), uniqExact(id, step) FROM telltale.steps FINAL":          fmt.Sprintf("%d\t%d\t%[1]d", steps, failed),
		"SELECT DISTINCT app, country, asn, tunnel FROM telltale.evidence FINAL WHERE app = 'line'":      "line\tXA\t64496\tfalse",
		"SELECT countIf(started = 0 OR id = '' OR app = '' OR round = '') FROM telltale.evidence":        "0",
		"SELECT DISTINCT app, target FROM telltale.pairs WHERE target_failure = 'connection_reset'":      "telegram\tweb",
		"SELECT count() FROM system.settings WHERE name IN ('async_insert', 'wait_for_async_insert')":    "2",
		"EXPLAIN AST CREATE USER telltale_writer IDENTIFIED BY 'x' HOST LOCAL SETTINGS async_insert = 1": "CreateUserQuery",
	} {
		if got := rows(t, server, query)[0]; !strings.HasPrefix(got, want) {
			t.Errorf("%s\n%q, want %q", query, got, want)
		}
	}
	compareTrials(t, server, want)
	mistaken(t, server, len(want))
}

// mistaken sends what is no record, which is refused for good, and a record as Vector brings it, which is none more.
func mistaken(t *testing.T, server string, records int) {
	t.Helper()
	g := newGateway(t, "victoriametrics", server, "clickhouse", server)
	if a, err := g.post("/rounds", token).Send(t.Context(), []byte(`{"test_keys":`), nil); err != nil || a.Status != http.StatusBadRequest {
		t.Errorf("no JSON: %+v, %v", a, err)
	}
	text, err := json.Marshal(map[string]string{"raw": rows(t, server, "SELECT raw FROM telltale.evidence LIMIT 1")[0]})
	if err != nil {
		t.Fatal(err)
	}
	rows(t, server, "INSERT INTO telltale.evidence FORMAT JSONEachRow\n"+string(text))
	if got := rows(t, server, "SELECT count() FROM telltale.evidence FINAL")[0]; got != fmt.Sprint(records) {
		t.Errorf("%s records after one came by another way; %d before", got, records)
	}
}

// compareTrials holds ClickHouse's pairs of T and N against the program's own.
func compareTrials(t *testing.T, server string, want []record) {
	t.Helper()
	trials := 0
	for _, r := range want {
		for _, x := range measurements.Trials(&r.of, nil, nil) {
			if x.Layer == measurements.LayerTLS {
				trials++
			}
		}
	}
	got := rows(t, server, "SELECT count() FROM telltale.pairs WHERE operation = 'tls_handshake'")
	if fmt.Sprint(trials) != got[0] || trials == 0 {
		t.Errorf("%s pairs in TLS, %d trials", got[0], trials)
	}
}
