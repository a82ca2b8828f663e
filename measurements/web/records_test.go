package web

import (
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/store"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// kept is a store in which two rounds begin at each of three moments.
func kept(t testing.TB) (s *store.Store, dir string) {
	t.Helper()
	dir = t.TempDir()
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for i := range 6 {
		add(t, s, fmt.Sprint("r", i), noon.Add(time.Duration(i/2)*time.Hour), "telegram", "line")
	}
	return s, dir
}

func add(t testing.TB, s *store.Store, id string, at time.Time, apps ...string) {
	t.Helper()
	measured := func(app string) measurements.Measurement {
		return measurements.Measurement{ID: id + "-" + app, Round: id, App: app, Started: at}
	}
	r := measurements.Round{ID: id, Started: at, Gate: measured(measurements.ControlApp)}
	v := measurements.RoundVerdict{Schema: measurements.RoundSchema, Started: at, Apps: []measurements.AppVerdict{}}
	for _, app := range apps {
		r.Apps = append(r.Apps, measured(app))
		v.Apps = append(v.Apps, measurements.AppVerdict{App: app, State: measurements.OK})
	}
	if err := s.Append(r, v); err != nil {
		t.Fatal(err)
	}
}

// ask asks a server as a program on this machine does; headers are name and value in turn.
func ask(server *Server, method, path string, headers ...string) answered {
	r := httptest.NewRequest(method, path, nil)
	r.Host, r.RemoteAddr = "localhost:9877", "127.0.0.1:40000"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	local := context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9877})
	server.Handler().ServeHTTP(w, r.WithContext(local))
	result := w.Result()
	defer result.Body.Close()
	return answered{w.Code, w.Body.String(), w.Header(), result.Trailer}
}

// answered is an answer as a whole.
type answered struct {
	code            int
	body            string
	header, trailer http.Header
}

func serving(s *store.Store) *Server {
	c := config()
	c.Evidence = s
	return New(c)
}

// idsIn gives the ids of the measurements in an answer, or of the rounds of verdicts.
func idsIn(t testing.TB, body string) (ids []string) {
	t.Helper()
	for line := range strings.Lines(body) {
		var in struct {
			Round string `json:"round"`
			Keys  struct {
				Ours struct{ ID string } `json:"x_telltale"`
			} `json:"test_keys"`
		}
		if err := json.Unmarshal([]byte(line), &in); err != nil {
			t.Fatal(err, line)
		}
		ids = append(ids, in.Round+in.Keys.Ours.ID)
	}
	return ids
}

// next is where an answer says that it goes on; "" is nowhere now.
func next(t testing.TB, r answered) string {
	t.Helper()
	link := r.header.Get("Link")
	if link == "" {
		return ""
	}
	path, ok := strings.CutSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
	if !ok {
		t.Fatal(link)
	}
	return path
}

// Pages of any size have every record once, also where rounds began at the same moment, and whatever the
// daemon adds meanwhile.
func TestRecordsPageByPage(t *testing.T) {
	for most := 1; most <= 19; most++ {
		s, _ := kept(t)
		server := serving(s)
		var want, got, verdicts []string
		for i := range 7 {
			want = append(want, fmt.Sprintf("r%d-control", i), fmt.Sprintf("r%d-telegram", i), fmt.Sprintf("r%d-line", i))
		}
		path, last := fmt.Sprintf("%s?since=2026-11-23&limit=%d", MeasurementsPath, most), ""
		for pages := 0; path != ""; pages++ {
			r := ask(server, "GET", path)
			if r.code != http.StatusOK || r.header.Get("Content-Type") != "application/x-ndjson" {
				t.Fatal(r.code, r.body)
			}
			got = append(got, idsIn(t, r.body)...)
			if path, last = next(t, r), r.header.Get(cursorField); pages == 0 {
				add(t, s, "r6", noon.Add(24*time.Hour), "telegram", "line")
			}
		}
		// The last page had no next; what came later is behind its cursor.
		r := ask(server, "GET", MeasurementsPath+"?cursor="+last)
		got = append(got, idsIn(t, r.body)...)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("pages of %d (-want +got):\n%s", most, diff)
		}
		end := r.header.Get(cursorField)
		if r = ask(server, "GET", MeasurementsPath+"?cursor="+end); r.body != "" || r.header.Get(cursorField) != end || next(t, r) != "" {
			t.Fatal("nothing comes after the end, and its cursor stays")
		}
		for path = fmt.Sprintf("%s?limit=%d", VerdictsPath, most); path != ""; {
			r := ask(server, "GET", path)
			verdicts = append(verdicts, idsIn(t, r.body)...)
			path = next(t, r)
		}
		if got := strings.Join(verdicts, " "); got != "r0 r1 r2 r3 r4 r5 r6" {
			t.Fatalf("pages of %d verdicts: %s", most, got)
		}
	}
}

// Parameters select; those that can't be right are refused in a sentence.
func TestRecordsParameters(t *testing.T) {
	s, _ := kept(t)
	server := serving(s)
	for _, tt := range []struct{ path, want string }{
		{MeasurementsPath + "?since=2026-11-23T14:00:00Z&app=line", "r4-control r4-line r5-control r5-line"},
		{MeasurementsPath + "?since=2026-11-23T15:00:00%2B01:00&until=2026-11-23T14:00:00.001Z&app=control", "r4-control r5-control"},
		{MeasurementsPath + "?until=2026-11-23T13:00:00Z&limit=4", "r0-control r0-telegram r0-line r1-control"},
		{MeasurementsPath + "?since=2026-11-24", ""},
		{VerdictsPath + "?since=2026-11-23T13:00:00Z&limit=3", "r2 r3 r4"},
	} {
		r := ask(server, "GET", tt.path)
		if got := strings.Join(idsIn(t, r.body), " "); r.code != http.StatusOK || got != tt.want {
			t.Errorf("%s: %d %s, want %s", tt.path, r.code, got, tt.want)
		}
	}
	if body := ask(server, "GET", VerdictsPath+"?app=line&limit=1").body; strings.Contains(body, "telegram") || !strings.Contains(body, `"app":"line"`) {
		t.Error(body)
	}
	path := next(t, ask(server, "GET", MeasurementsPath+"?app=line&app=telegram&until=2h&limit=1"))
	u, err := url.Parse(path)
	if err != nil || !strings.HasPrefix(u.Query().Get("until"), "20") || len(u.Query()["app"]) != 2 || u.Query().Get("limit") != "1" {
		t.Errorf("what was asked for is forgotten: %s", path)
	}
	for _, tt := range []struct{ query, want string }{
		{"since=yesterday", "since=\"yesterday\": must be how long ago"},
		{"since=", "since=\"\": must be"},
		{"since=2026-11-23T08:00:00+01:00", "in a URL, + is written %2B"},
		{"until=1700000000", "until="},
		{"limit=0", "limit must be a number between 1 and 1000"},
		{"limit=1001", "limit must be"},
		{"limit=all", "limit must be"},
		{"limit=1&limit=2", "limit is given 2 times"},
		{"cursor=r5", "cursor: not a place"},
		{"cursor=" + strings.Repeat("A", 5000), "cursor: not a place"},
		{"app=telegramm", "app=\"telegramm\": there are measurements of control, line, telegram"},
		{"app=", "app=\"\": there are"},
		{strings.Repeat("app=line&", 65), "app is given"},
		{"sinc=1h", "there is no parameter \"sinc\"; there are since, until, app, limit, cursor"},
		{"since=%zz", "the query can't be read"},
		{"a;b", "the query can't be read"},
	} {
		for _, path := range []string{MeasurementsPath, VerdictsPath} {
			r := ask(server, "GET", path+"?"+tt.query)
			if body := r.body; r.code != http.StatusBadRequest || !strings.Contains(body, tt.want) {
				t.Errorf("%s?%.80s: got %d %s, want %q", path, tt.query, r.code, body, tt.want)
			}
		}
	}
}

// HEAD says where it goes on and reads nothing; other methods are refused; without a store there is nothing.
func TestRecordsMethods(t *testing.T) {
	s, dir := kept(t)
	server := serving(s)
	for _, path := range []string{MeasurementsPath, VerdictsPath} {
		r := ask(server, "HEAD", path+"?limit=2")
		if r.code != http.StatusOK || next(t, r) == "" || r.header.Get(cursorField) == "" || r.body != "" {
			t.Errorf("HEAD %s: %d %v", path, r.code, r.header)
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
			if r := ask(server, method, path); r.code != http.StatusMethodNotAllowed || r.header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d %v", method, path, r.code, r.header)
			}
		}
		if r := ask(New(config()), "GET", path); r.code != http.StatusNotFound {
			t.Errorf("%s without a store: %d", path, r.code)
		}
		for range maxReaders {
			server.readers <- struct{}{}
		}
		if r := ask(server, "GET", path); r.code != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
			t.Errorf("%s while others read: %d", path, r.code)
		}
		for range maxReaders {
			<-server.readers
		}
	}
	r := ask(server, "GET", MeasurementsPath, "Accept-Encoding", "br, gzip")
	z, err := gzip.NewReader(strings.NewReader(r.body))
	if err != nil || r.header.Get("Content-Encoding") != "gzip" || r.header.Get("Vary") != "Accept-Encoding" {
		t.Fatal(err, r.header)
	}
	text, err := io.ReadAll(z)
	if n := len(idsIn(t, string(text))); err != nil || n != 18 || r.trailer.Get(unreadField) != "0" {
		t.Error(err, n, r.trailer)
	}
	for accept, want := range map[string]bool{"": false, "br": false, "gzip;q=0": false, "gzip; q=0.0": false, "gzip;q=0.5": true, "GZIP": true, "*": false} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Encoding", accept)
		if acceptsGzip(r) != want {
			t.Errorf("%q is taken for %v", accept, !want)
		}
	}
	damage(t, dir, "UPDATE measurements SET body = x'00' WHERE app = 'line'")
	r = ask(server, "GET", MeasurementsPath)
	if n := len(idsIn(t, r.body)); n != 12 || r.trailer.Get(unreadField) != "6" {
		t.Errorf("%d records, %v", n, r.trailer)
	}
	damage(t, dir, "DROP TABLE measurements")
	if r := ask(server, "GET", MeasurementsPath); r.code != http.StatusInternalServerError || strings.Contains(r.body, "SQL") {
		t.Errorf("a store that can't be read: %d", r.code)
	}
}

// damage changes the database behind the store's back.
func damage(t *testing.T, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "telltale.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = db.Exec(statement); err != nil || db.Close() != nil {
		t.Fatal(err)
	}
}

// Whatever a query holds, it is refused or can be gone on with.
func FuzzQuery(f *testing.F) {
	f.Add("since=24h&limit=7&app=telegram")
	f.Add("cursor=AAAA&until=2026-11-23")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := readQuery(raw, noon)
		if err != nil {
			return
		}
		if _, err := readQuery(q.from(q.After), noon); err != nil {
			t.Errorf("%q goes on with %q: %v", raw, q.from(q.After), err)
		}
	})
}
