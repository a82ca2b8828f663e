package netlab

import (
	"net/http"
	"strings"
	"time"
)

// pacePiece is what a server that paces sends at a time: some segments, as an application writes them.
const pacePiece = 4 << 10

// pacedWriter holds an answer back to a rate, as a server does that limits what it sends under one of its names.
type pacedWriter struct {
	http.ResponseWriter
	rate int64 // bit/s
	gone <-chan struct{}
}

// paced is the writer for a request, by the name in its hello.
func (m *machine) paced(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	if r.TLS == nil {
		return w
	}
	if s := m.sites[strings.ToLower(r.TLS.ServerName)]; s != nil && s.trouble.rate > 0 {
		return &pacedWriter{w, s.trouble.rate, r.Context().Done()}
	}
	return w
}

func (p *pacedWriter) Write(b []byte) (done int, err error) {
	for len(b) > 0 {
		piece := b[:min(len(b), pacePiece)]
		b = b[len(piece):]
		n, err := p.ResponseWriter.Write(piece)
		done += n
		if err == nil {
			err = http.NewResponseController(p.ResponseWriter).Flush()
		}
		if err != nil {
			return done, err
		}
		select {
		case <-time.After(bits(len(piece), p.rate)):
		case <-p.gone:
			return done, http.ErrAbortHandler
		}
	}
	return done, nil
}

// Unwrap lets http.ResponseController find what is below.
func (p *pacedWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }
