package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/exp/api/remote"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/ooni"
	"github.com/telltale-probe/telltale/measurements/store"
	"github.com/telltale-probe/telltale/measurements/web"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/privacy"
)

// leaks lists what of the home is in bytes: in letters, in the bytes of addresses, and in base64 inside JSON.
func leaks(b []byte) (out []string) {
	text := strings.ToLower(string(b))
	for _, s := range leaked {
		if tells(text, strings.ToLower(s)) {
			out = append(out, s)
		}
	}
	for _, a := range []netip.Addr{leakedAt, leakedAt6, leakedLink, leakedSeen, leakedGate} {
		if bytes.Contains(b, a.AsSlice()) {
			out = append(out, "the bytes of "+a.String())
		}
	}
	if bytes.Contains(b, leakedMAC) {
		out = append(out, "the bytes of "+leakedMAC.String())
	}
	return out
}

// tells says whether a text has a word in it. 192.168.1.107 does not tell of 192.168.1.1: what stands for an address of
// ours is chance, and of the same network now and then.
func tells(text, word string) bool {
	_, err := netip.ParseAddr(word)
	for {
		_, after, found := strings.Cut(text, word)
		digits := after[:len(after)-len(strings.TrimLeft(after, "0123456789"))]
		if _, longer := netip.ParseAddr(word + digits); !found || err != nil || digits == "" || longer != nil {
			return found
		}
		text = after
	}
}

// What is looked for in the corpus is found, and nothing else.
func TestLeaksAreFound(t *testing.T) {
	for text, want := range map[string]int{
		"to 192.168.1.1.": 1, "192.168.1.1:8080": 1, "192.168.1.107": 0, "192.168.1.10, 192.168.1.1": 1, "192.168.1.774000": 1, "dns 2001:DB8:77::1": 1, "C0A8014D0": 1, "": 0,
	} {
		if found := leaks([]byte(text)); len(found) != want {
			t.Errorf("%q tells %q", text, found)
		}
	}
}

// leaksInJSON looks into every string of a document as well, and into what it is the base64 of.
func leaksInJSON(t *testing.T, b []byte) []string {
	t.Helper()
	out := leaks(b)
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v: %.200s", err, b)
	}
	var look func(any)
	look = func(v any) {
		switch v := v.(type) {
		case string:
			out = append(out, leaks([]byte(v))...)
			if plain, err := base64.StdEncoding.DecodeString(v); err == nil {
				out = append(out, leaks(plain)...)
			}
		case []any:
			for _, e := range v {
				look(e)
			}
		case map[string]any:
			for k, e := range v {
				look(k)
				look(e)
			}
		}
	}
	look(v)
	slices.Sort(out)
	return slices.Compact(out)
}

// lines are a log's.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// post takes whatever is pushed, in plain.
type post struct {
	mu    sync.Mutex
	plain map[string][]byte // by path
}

func (p *post) take(path string, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plain[path] = append(p.plain[path], b...)
}

func (p *post) Store(r *http.Request, _ remote.WriteMessageType) (*remote.WriteResponse, error) {
	b, err := io.ReadAll(r.Body)
	p.take("write", b)
	return remote.NewWriteResponse(), err
}

func (p *post) evidence(_ http.ResponseWriter, r *http.Request) {
	if z, err := gzip.NewReader(r.Body); err == nil {
		b, _ := io.ReadAll(z)
		p.take("evidence", b)
	}
}

// corpus is a daemon in the talkative internet, with everything that a daemon has.
type corpus struct {
	*daemon
	cfg     *config.Config
	said    *lines
	posted  *post
	verdict measurements.RoundVerdict
	seen    measurements.Round
}

func newCorpus(t *testing.T) *corpus {
	t.Helper()
	cfg := config.Default()
	cfg.Placebo.Targets, cfg.Consent, cfg.Timeout, cfg.Parallel, cfg.Residual = nil, time.Now(), 2*time.Second, 64, time.Hour
	w := newTalkative(t, netlab.Options{Controls: cfg.Controls, Trusted: cfg.Trusted, Access: netlab.Link{Latency: time.Millisecond}})
	cfg.Apps = []probe.App{w.app()}
	c := &corpus{cfg: cfg, said: &lines{}, posted: &post{plain: map[string][]byte{}}}
	mux := http.NewServeMux()
	mux.Handle("/write", remote.NewWriteHandler(c.posted, remote.MessageTypes{remote.WriteV2MessageType}))
	mux.HandleFunc("/evidence", c.posted.evidence)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for path, to := range map[string]**url.URL{"/write": &cfg.Push.Metrics.URL, "/evidence": &cfg.Push.Evidence.URL} {
		u, err := url.Parse(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		*to = u
	}
	c.daemon = &daemon{view: web.View{Consent: true}}
	log := (&cli{LogLevel: "debug", LogFormat: "json"}).loggerOf(&privacy.Writer{To: c.said, Own: leakedHome, Learnt: c.learnt.Load})
	counted := newMetrics(cfg)
	kept, err := store.Open(t.TempDir(), storeOptions(cfg, log, counted))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := newPlan(cfg, w.host())
	if err != nil {
		t.Fatal(err)
	}
	plan.Thorough, plan.Spread, plan.VolumeEvery = true, 0, 0
	c.log, c.store, c.metrics, c.watch = log, kept, counted, &probe.Watch{Plan: plan}
	c.push = &pusher{log: log, store: kept, metrics: counted}
	c.judged = func(r *measurements.Round, v *measurements.RoundVerdict) { c.seen, c.verdict = *r, *v }
	t.Cleanup(func() {
		c.push.close()
		_ = kept.Close()
	})
	return c
}

// Everybody says who and where the volunteer is: pages, redirects, certificates, resolvers, QUIC's closes, answers of
// another protocol, a STUN server. None of it comes out of the program anywhere.
func TestNothingTellsWhoWeAre(t *testing.T) {
	t.Parallel()
	c := newCorpus(t)
	if err := c.push.configure(t.Context(), c.cfg); err != nil {
		t.Fatal(err)
	}
	c.round(t.Context())
	c.mutter(t)
	delivered(t, c.store)
	t.Run("what was planted", func(t *testing.T) { wasPlanted(t, &c.seen) })
	for name, b := range c.outputs(t) {
		find := leaks
		if json.Valid(b) {
			find = func(b []byte) []string { return leaksInJSON(t, b) }
		}
		if found := find(b); len(found) > 0 {
			at := strings.Index(strings.ToLower(string(b)), strings.ToLower(found[0]))
			t.Errorf("%s: %q, as in …%s", name, found, b[max(0, at-200):min(len(b), max(0, at)+100)])
		}
		if len(b) < 100 {
			t.Errorf("%s has %d bytes: %s", name, len(b), b)
		}
	}
}

// mutter has the log say what errors of a socket would.
func (c *corpus) mutter(t *testing.T) {
	t.Helper()
	for _, s := range leaked {
		c.log.Error().Err(fmt.Errorf("read tcp %s:4000->198.51.100.9:443: %s", leakedAt, s)).Str("more", s).Msg(gossip)
	}
	if !strings.Contains(c.said.String(), "round judged") || !strings.Contains(c.said.String(), "read tcp [scrubbed]:4000") {
		t.Errorf("the log: %s", c.said.String())
	}
}

// outputs are all that leaves the daemon, and all that it keeps, by name.
func (c *corpus) outputs(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{"the log": []byte(c.said.String())}
	add := func(name string, b []byte, err error) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = b
	}
	server := web.New(web.Config{View: c.show, Gatherer: c.metrics, Registerer: c.metrics.Registerer()}).Handler()
	for _, path := range []string{"/metrics", "/"} {
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil))
		add(path, w.Body.Bytes(), nil)
	}
	verdict, err := json.Marshal(&c.verdict)
	add("the verdict", verdict, err)
	var table bytes.Buffer
	printTable(&table, &c.verdict)
	add("the table", table.Bytes(), nil)
	for _, name := range []string{stateHistory, stateMetrics, stateLedger, stateBudget, stateTurns} {
		var state json.RawMessage
		err := c.store.LoadState(name, &state)
		add("the store's "+name, append(state, strings.Repeat(" ", 100)...), err)
	}
	for r, err := range c.store.Rounds() {
		for _, m := range append([]measurements.Measurement{r.Gate}, r.Apps...) {
			line, err2 := ooni.Record(m)
			add("the stored "+m.App, line, errors.Join(err, err2))
		}
	}
	c.posted.mu.Lock()
	defer c.posted.mu.Unlock()
	add("what is written remotely", c.posted.plain["write"], nil)
	for i, line := range bytes.Split(bytes.TrimSpace(c.posted.plain["evidence"]), []byte("\n")) {
		add(fmt.Sprint("evidence pushed ", i), line, nil)
	}
	return out
}

// wasPlanted makes sure that the corpus said what it should, and that what is left of it is evidence still.
func wasPlanted(t *testing.T, r *measurements.Round) {
	first := func(target string, op measurements.Operation) *measurements.Observation {
		list := of(r, target, op)
		if len(list) == 0 {
			t.Fatalf("no %s of %s", op, target)
		}
		return list[0]
	}
	check := func(what string, ok bool, o *measurements.Observation) {
		if b, _ := json.Marshal(o); !ok {
			t.Errorf("%s: %s", what, b)
		}
	}
	page := first("blocked", measurements.HTTPExchange)
	check("a block page is kept", page.HTTP.BlockPage() == "IN" && bytes.Count(page.HTTP.Body, []byte("[scrubbed]")) >= len(leaked)-2, page)
	echo := first("echo", measurements.HTTPExchange)
	check("another page is not", echo.HTTP.Status == 200 && echo.HTTP.Body == nil && echo.HTTP.BodyBytes > 100 && echo.HTTP.Date == "", echo)
	moved := first("moved", measurements.HTTPExchange)
	check("a redirect leads to a private address still", strings.HasPrefix(moved.HTTP.Location, "http://192.168.") && strings.Contains(moved.HTTP.Location, ":8080/login?all=[scrubbed]"), moved)
	homely := first("homely", measurements.HTTPExchange)
	check("a redirect leads somewhere", strings.HasPrefix(homely.HTTP.Location, "http://scrubbed.invalid/to"), homely)
	box := first("box", measurements.TLSHandshake)
	check("a box has no chain", box.Failure.IsCertificate() && box.TLS.Chain == nil && box.TLS.ChainRoot == measurements.RootNone && strings.HasPrefix(box.TLS.LeafIssuer, "[scrubbed] ") &&
		strings.Contains(box.Error, "[scrubbed]") && len(box.TLS.LeafNames) == 4, box)
	boxPage := first("box", measurements.HTTPExchange)
	check("a box has no page", boxPage.HTTP.Status == 200 && boxPage.HTTP.Body == nil, boxPage)
	closes := first("closes", measurements.HTTPExchange)
	check("QUIC was closed", !closes.OK() && closes.Transport == "quic" && strings.Contains(closes.Error, "to [scrubbed]"), closes)
	chain := first("closes", measurements.QUICHandshake)
	check("a chain that proves the app stays", chain.OK() && len(chain.TLS.Chain) == 1, chain)
	noTLS := first("no-tls", measurements.TLSHandshake)
	check("what is no TLS", noTLS.Failure == measurements.TLSNotTLS && bytes.Contains(noTLS.TLS.FirstBytes, []byte("warning.or.kr to [scrubbed]")), noTLS)
	var told []netip.Addr
	for _, target := range []string{"lie", "lan"} {
		n := 0
		for _, lie := range of(r, target, measurements.Resolve) {
			for _, a := range lie.DNS.Addresses {
				public := strings.HasPrefix(a.String(), "203.0.113.") || strings.HasPrefix(a.String(), "2001:db8:")
				check("a lie leads to addresses of its kind", a.IsPrivate() && target == "lan" || public && target == "lie", lie)
				told, n = append(told, a), n+1
			}
			check("a lie's wire form", len(lie.DNS.Addresses) == 0 || lie.DNS.Raw == nil, lie)
		}
		if n == 0 {
			t.Errorf("no lie about %s", target)
		}
	}
	measured := false
	for _, o := range r.Apps[0].Observations {
		measured = measured || o.Target == "lie" && o.Operation == measurements.Connect && slices.Contains(told, o.Addr())
	}
	if !measured {
		t.Error("nothing was measured where a lie led")
	}
	alias := first("alias", measurements.Resolve)
	check("an alias", slices.Contains(alias.DNS.CNAMEs, "[scrubbed]") && alias.DNS.Raw == nil, alias)
	dc := first("dc", measurements.AppHandshake)
	check("what is no MTProto", dc.Failure == measurements.AppNotSpoken && bytes.HasPrefix(dc.App.FirstBytes, []byte("no: to [scrubbed]")), dc)
	calls := first("calls", measurements.AppHandshake)
	check("STUN", calls.OK(), calls)
	identified := false
	for _, o := range r.Gate.Observations {
		identified = identified || o.DNS != nil && strings.HasPrefix(o.DNS.Identity, "[scrubbed] ") && o.DNS.Raw == nil
	}
	if !identified {
		t.Error("the resolver did not say who it is")
	}
}
