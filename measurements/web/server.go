package web

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"github.com/telltale-probe/telltale/measurements/export"
	"github.com/telltale-probe/telltale/measurements/store"
)

const (
	// scrapeTimeout bounds a gathering, chosen by us below Prometheus' default of ten seconds.
	scrapeTimeout = 8 * time.Second

	// maxScrapes bounds gatherings at the same time. Chosen by us: a small machine has few readers.
	maxScrapes = 4
)

// Config is what a Server shows and where it listens.
type Config struct {
	// View gives what the page shows, at every request. Required.
	View func() View
	// Gatherer gives the metrics. Required.
	Gatherer prometheus.Gatherer
	// Registerer takes the promhttp_* metrics about scrapes. Optional; nil makes none.
	Registerer prometheus.Registerer
	// Ready says whether the program is ready. Optional; nil is always.
	Ready func() bool
	// Reload reads the configuration again, and logs what came of it; its error is shown to who asks over loopback or may
	// have evidence. Optional; nil answers 501.
	Reload func() error
	// Reference gives the signed answer of a reference vantage, empty while there is none, and whether
	// this telltale is one. Optional; nil is not.
	Reference func() (answer []byte, serves bool)
	// Evidence is what is served of to whom it may be: see access.go. Optional; nil is nothing.
	Evidence *store.Store

	// Listen are the addresses of ListenAndServe, "127.0.0.1:9877".
	Listen []string
	// Hosts are names under which the page may be asked for on loopback, beside localhost and
	// addresses: a reverse proxy's, say. Optional.
	Hosts []string
	// WebConfigFile is exporter-toolkit's, for TLS and passwords. Optional; "" is neither.
	WebConfigFile string
	// SystemdSocket takes the sockets that systemd opened instead of Listen. Linux only.
	SystemdSocket bool
	Log           zerolog.Logger
}

// Server serves the page and the metrics.
type Server struct {
	config    Config
	handler   http.Handler
	readers   chan struct{} // one for each answer that evidence is read for
	stopping  chan struct{} // closed when the server stops
	stop      func()
	listeners []Listener // opened by Listen
}

// New makes a server, which does not listen yet.
func New(c Config) *Server {
	s := &Server{config: c, readers: make(chan struct{}, maxReaders), stopping: make(chan struct{})}
	s.stop = sync.OnceFunc(func() { close(s.stopping) })
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page)
	mux.Handle("GET /metrics", s.metrics())
	mux.HandleFunc("GET "+ReferencePath, s.reference)
	mux.HandleFunc("GET "+MeasurementsPath, s.records(func(kept *store.Store, _ []string) export.Form { return export.OONI(kept) }))
	mux.HandleFunc("GET "+VerdictsPath, s.records(export.JSON))
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "telltale is healthy.") })
	mux.HandleFunc("GET /-/ready", s.ready)
	mux.HandleFunc("POST /-/reload", s.reload)
	mux.HandleFunc("PUT /-/reload", s.reload)
	s.handler = s.guard(mux)
	return s
}

// Handler serves everything, guarded.
func (s *Server) Handler() http.Handler { return s.handler }

func (s *Server) metrics() http.Handler {
	options := promhttp.HandlerOpts{
		ErrorLog:            scrapeLog{s.config.Log},
		ErrorHandling:       promhttp.ContinueOnError, // what can be said is said
		Registry:            s.config.Registerer,
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: maxScrapes,
		Timeout:             scrapeTimeout,
	}
	h := promhttp.HandlerFor(s.config.Gatherer, options)
	if s.config.Registerer != nil {
		h = promhttp.InstrumentMetricHandler(s.config.Registerer, h)
	}
	return h
}

// scrapeLog is what promhttp wants of a logger.
type scrapeLog struct{ log zerolog.Logger }

func (l scrapeLog) Println(v ...any) { l.log.Error().Msg(fmt.Sprint(v...)) }

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if s.config.Ready != nil && !s.config.Ready() {
		say(w, http.StatusServiceUnavailable, "telltale is not ready yet.")
		return
	}
	say(w, http.StatusOK, "telltale is ready.")
}

// reload reads the configuration again. Why it can't be used may name files of the volunteer's: that is for those who
// ask from here, or prove who they are.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	if s.config.Reload == nil {
		say(w, http.StatusNotImplemented, "This telltale has no configuration to read again.")
		return
	}
	if err := s.config.Reload(); err != nil {
		why := "the log says why."
		if onLoopback(r) || s.letIn(r) {
			why = err.Error()
		}
		say(w, http.StatusInternalServerError, "The configuration was not reloaded; the old one stays: "+why)
		return
	}
	say(w, http.StatusOK, "The configuration was reloaded.")
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text)
}
