package config_test

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/config/strict"
)

func TestPush(t *testing.T) {
	c, err := config.Parse("f", []byte(`
[push]
url = "https://metrics.example.org/api/v1/write"
interval = "1m"
headers = { "x-scope-orgid" = "a" }
bearer_token_file = "testdata/secret"
proxy = "socks5://127.0.0.1:9050"
[push.evidence]
url = "http://receiver.local:8080/ndjson?a=b"
username = "me"
password_file = "testdata/secret"
`))
	if err != nil {
		t.Fatal(err)
	}
	m, e := c.Push.Metrics, c.Push.Evidence
	if m.URL.Host != "metrics.example.org" || c.Push.Interval != time.Minute || m.Header.Get("X-Scope-OrgID") != "a" || m.Bearer != "s3cret" || m.User != "" {
		t.Errorf("%+v", c.Push)
	}
	if e.URL.RawQuery != "a=b" || e.User != "me" || e.Password != "s3cret" || e.Bearer != "" || len(e.Header) != 0 {
		t.Errorf("%+v", e)
	}
	if want, _ := url.Parse("socks5://127.0.0.1:9050"); *m.Proxy != *want || *e.Proxy != *want {
		t.Errorf("proxies %v and %v: who hides the one wants the other hidden too", m.Proxy, e.Proxy)
	}
	if d := config.Default().Push; d.Metrics.URL != nil || d.Evidence.URL != nil || d.Interval != 4*time.Minute {
		t.Errorf("something is on that must be off: %+v", d)
	}
	c, err = config.Parse("f", []byte("[push]\nproxy = \"http://192.0.2.1:3128\"\n[push.evidence]\nproxy = \"direct\"\n"))
	if err != nil || c.Push.Metrics.Proxy == nil || c.Push.Evidence.Proxy != nil {
		t.Errorf("%v, %+v", err, c)
	}
}

// Evidence in clear text tells whoever reads along who measures.
func TestPushInClearStaysInTheHouse(t *testing.T) {
	for host, fine := range map[string]bool{
		"127.0.0.1": true, "[::1]": true, "10.1.2.3": true, "[fd00::1]": true, "victoria": true, "nas.local": true, "x.onion": true, "vm.internal.": true,
		"192.0.2.1": false, "metrics.example.org": false, "local.example.org": false, "[2001:db8::1]": false,
	} {
		_, err := config.Parse("f", []byte("[push]\nurl = \"http://"+host+"/\"\n"))
		if (err == nil) != fine {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestPushFileMissing(t *testing.T) {
	_, err := config.Parse("f", []byte("[push]\nbearer_token_file = \"testdata/no-such-file\"\n"))
	var mistakes strict.Errors
	if !errors.As(err, &mistakes) || len(mistakes) != 1 || mistakes[0].Line != 2 {
		t.Errorf("%v", err)
	}
}
