package scenarios_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe"
	"github.com/telltale-probe/telltale/probe/netlab"
	"github.com/telltale-probe/telltale/probe/netlab/scenarios"
	"github.com/telltale-probe/telltale/probe/schedule"
)

// provoked are worlds in which, beside a clean one, the program says what it says on occasion alone. Together they bring
// out every form of the list but those of unplayed.
var provoked = []struct{ world, brings string }{
	{"reference-helper-name-alone" + asWebSocket, "the helper, of a name at which a WebSocket is asked for"},
	{"innocent-apps-off-by-default", "the apps that are off"},
	{"dns-servfail-again", "the question not to validate"},
	{"dns-silence-again", "the question without EDNS0, and the patient one"},
	{"dns-injection-behind-a-stub", "the resolvers behind a stub"},
	{"innocent-resolver-down", "a lost question to the end"},
	{"dns-encrypted-doh-by-name", "hellos to resolvers, under a neutral name and their own"},
	{"dns-encrypted-doh-dropped", "control P of encrypted DNS"},
	{"innocent-doh-server-down", ""},
	{"tls-reset-by-name-all-day", "suspicion: control N, the other shape, TLS 1.2"},
	{"tls-reset-by-name-left-alone-watched", "the daemon's rounds"},
	{"tls-reset-by-certificate", "TLS 1.2 with the name"},
	{"tls-mitm-kazakhstan", "requests to who shows a foreign certificate"},
	{"tls-mitm-of-two-sites", ""},
	{"innocent-antivirus-intercepts", "the same at neutral hosts"},
	{"innocent-captive-portal", "the same, and requests in clear"},
	{"innocent-path-loses-large-hellos", "requests of two segments"},
	{"innocent-mtu-black-hole-watched", ""},
	{"innocent-router-refuses-udp443", "pings with a hop limit"},
	{"innocent-router-drops-udp443", "those to another port"},
	{"quic-version-filtered", "control V"},
	{"quic-timeout-by-name-where-only-offered", "QUIC where an Alt-Svc offers it"},
	{"quic-timeout-by-name-where-a-record-offers", "HTTPS records, and QUIC where one offers it"},
	{"reference-helper-name-alone", "the reference, and its helper over TCP"},
	{"reference-helper-name-alone-quic", "the helper over QUIC"},
	{"reference-data-centre-dropped-again", "the reference under suspicion"},
	{"throttle-by-name-twitter-2021", "pairs of transfers"},
	{"throttle-of-quic", "transfers over QUIC"},
	{"throttle-of-an-app-turkey-2016", "neutral hosts' objects"},
	{"tls-cutoff-by-address", "the same after a cut-off"},
	{"app-mtproto-recognised-and-dropped", "MTProto's proof, and control N of it"},
	{"app-whatsapp-raw-reset", "WhatsApp's handshake under suspicion"},
	{"app-messenger-calls-dropped", "STUN, there and elsewhere"},
	{"innocent-upgrade-refused", "WebSockets that are refused"},
	{"line-gateway-by-name", "a gateway's header"},
	{"innocent-hosts-file", ""},
	{"innocent-nat64", "addresses of a translator"},
}

// asWebSocket is a world in which a WebSocket is asked for in the place of a page.
const asWebSocket = ", wss"

// unplayed are forms of the list that none of the worlds brings out, and why.
var unplayed = map[string]string{
	"GET / {Sec-Websocket-Key: fresh; Sec-Websocket-Version: 13; Upgrade: websocket; User-Agent: " + probe.UserAgent + "}": "of the site whose every hello dies",
}

// What is sent is what the list says, byte for byte where bytes are not fresh each time: on a clean line, with all that
// is opt-in, and in worlds in which every control is called for. And the list has no form that is never sent.
//
// The hop scan wants sockets of the kernel's: TestHopsSendWhatIsListed in package probe.
func TestTheListIsWhatIsSent(t *testing.T) {
	onceIsEnough(t)
	sum := book{forms: map[string]bool{}, did: map[string]bool{}}
	failed := netlab.Rule{ID: "failures", Protocol: netlab.DNS, Names: []string{".whatsapp.com"}, Action: netlab.DNSServfail}
	denied := netlab.Rule{ID: "names", Protocol: netlab.DNS, Names: []string{".whatsapp.com"}, Action: netlab.DNSNXDomain}
	reset := netlab.Rule{ID: "hellos", Protocol: netlab.TLS, Names: []string{".whatsapp.com", ".instagram.com"}, Action: netlab.Reset}
	intercepted := netlab.Rule{ID: "boxes", Protocol: netlab.TLS, Action: netlab.Intercept}
	for name, p := range map[string]play{
		"clean":          {trusted: config.Default().Trusted},
		"DoT":            {trusted: []probe.Resolver{{URL: "tls://dns.quad9.net"}}, rules: []netlab.Rule{denied, reset}},
		"DoH, and UDP":   {trusted: []probe.Resolver{{URL: "udp://9.9.9.9:53"}, {URL: "https://dns.quad9.net/dns-query"}}, rules: []netlab.Rule{denied, reset}},
		"by UDP, mutely": {trusted: []probe.Resolver{{URL: "udp://9.9.9.9:53"}}, rules: []netlab.Rule{reset, {ID: "resolvers", Protocol: netlab.DNS, Action: netlab.Drop}}},
		"unchecked":      {rules: []netlab.Rule{failed}, loses: func(q *dns.Msg) bool { return q.CheckingDisabled }},
		"records":        {trusted: []probe.Resolver{{URL: "udp://9.9.9.9:53"}}, rules: []netlab.Rule{reset}, loses: func(q *dns.Msg) bool { return len(q.Question) == 1 && q.Question[0].Qtype == dns.TypeHTTPS }},
		"intercepted":    {trusted: config.Default().Trusted, rules: []netlab.Rule{intercepted}, watched: true},
	} {
		t.Run(name, func(t *testing.T) { everything(t, &sum, p) })
	}
	for _, p := range provoked {
		t.Run(p.world, func(t *testing.T) { overhear(t, &sum, p.world) })
	}
	for _, form := range slices.Sorted(maps.Keys(sum.forms)) {
		if why := unplayed[form]; !sum.did[form] && why == "" {
			t.Errorf("listed and never sent: %s", form)
		} else if sum.did[form] && why != "" {
			t.Errorf("sent after all: %s", form)
		}
	}
	t.Logf("%d forms", len(sum.did))
}

// book adds up what was listed and what was sent.
type book struct {
	mu         sync.Mutex
	forms, did map[string]bool
}

// play is a world with all apps.
type play struct {
	trusted []probe.Resolver
	rules   []netlab.Rule
	watched bool // by the daemon
	loses   func(*dns.Msg) bool
}

// everything is a round with all that is opt-in, of all apps.
func everything(t *testing.T, sum *book, p play) {
	cfg := config.Default()
	apps := slices.Concat(cfg.Apps, config.More(), []probe.App{cfg.Placebo})
	synctest.Test(t, func(t *testing.T) {
		tap := wiretap{loses: p.loses}
		w, err := netlab.New(netlab.Options{Apps: apps, Controls: cfg.Controls, Trusted: p.trusted, Heard: tap.hear, HeardInside: tap.hearInside})
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = w.Close() }()
		plan := &probe.Plan{Host: w.Host(), Apps: w.Apps(apps...), Controls: cfg.Controls, Trusted: p.trusted,
			Families: cfg.Families, Timeout: cfg.Timeout, Parallel: cfg.Parallel, Ledger: schedule.NewLedger(cfg.Residual),
			Thorough: !p.watched, Opaque: true, Locate: true, VolumeEvery: 1, IdentityEvery: 7 * 24 * time.Hour, Suspicion: &schedule.Suspicion{}}
		w.Network().Censor(p.rules...)
		if p.watched {
			// Chance would decide what comes last, and which of two targets comes first to a place that then rests.
			plan.Shape, plan.Ledger = measurements.Small, schedule.NewLedger(0)
		}
		tap.on(plan)
		plan.Run(t.Context())
		sum.hold(t, plan.Tape(t.Context()), &tap)
	})
}

// overhear plays a scenario.
func overhear(t *testing.T, sum *book, world string) {
	name, wss := strings.CutSuffix(world, asWebSocket)
	s := scenario(t, name)
	if wss {
		s.Catalogue = strings.Replace(s.Catalogue, `probes = ["https"]`, `probes = ["wss"]`, 1)
	}
	var tap wiretap
	var plan *probe.Plan
	l := lab()
	l.Heard, l.HeardInside = tap.hear, tap.hearInside
	l.Listen = func(p *probe.Plan) { plan = p; tap.on(p) }
	if _, err := l.Run(s); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) { sum.hold(t, plan.Tape(t.Context()), &tap) })
}

func scenario(t *testing.T, name string) *scenarios.Scenario {
	all, err := scenarios.All()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(s scenarios.Scenario) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no such world: %s", name)
	}
	return &all[i]
}

// hold compares what was sent with a list.
func (b *book) hold(t *testing.T, sections []probe.Section, tap *wiretap) {
	l := listed(sections)
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.Copy(b.forms, l.forms)
	for m := range tap.messages() {
		b.did[m.form] = true
		if !l.has(m) {
			t.Errorf("sent and not listed: %+v", m)
		}
	}
}

// list is what `telltale catalogue --bytes` prints, in forms.
type list struct {
	all          map[message]bool
	forms, names map[string]bool
}

// has says whether a message is listed: under its name; a DNS query for any name that is listed, since every name is asked
// in every way; under a neutral name also what is listed of a target, and then its request for "/".
func (l *list) has(m message) bool {
	switch {
	case l.all[m]:
		return true
	case strings.HasPrefix(m.form, "dns "):
		return l.names[m.name] && l.forms[m.form]
	case l.names[m.name] && !strings.HasSuffix(m.name, ".example.com"):
		return false
	}
	return l.forms[m.form] || l.atRoot(m.form)
}

// atRoot says whether a request is control N's: for "/", in the form in which the target's path is asked for.
func (l *list) atRoot(form string) bool {
	_, fields, ok := strings.Cut(form, " / ")
	for listed := range l.forms {
		if ok && strings.HasPrefix(form, http.MethodGet+" ") && strings.HasPrefix(listed, http.MethodGet+" ") && strings.HasSuffix(listed, fields) {
			return true
		}
	}
	return false
}
