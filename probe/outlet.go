package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Outlet is the way to a receiver to which the volunteer sends what was measured. It is no measurement: names
// are resolved as the machine's other programs do, or by the proxy.
type Outlet struct {
	Proxy *url.URL          // http, https or socks5; nil is none, whatever the environment says
	Roots []byte            // further roots, PEM, beside Mozilla's bundle; nil is none
	Cert  []tls.Certificate // which the receiver may ask for
}

// Chosen by us: Tor may take so long. An idle connection does not outlive the pause between heartbeats.
const (
	outletConnect   = 30 * time.Second
	outletHandshake = 30 * time.Second
	outletIdle      = time.Minute
)

// Transport makes an HTTP transport of the outlet. The receiver must prove itself by the dated bundle of
// roots or the given ones: what an employer or a state has put into the machine's own store does not count.
// Errors hold no address, ours or another.
func (o Outlet) Transport() http.RoundTripper {
	return outlet{o.through((&net.Dialer{Timeout: outletConnect}).DialContext)}
}

// through is the transport over connections that dial opens.
func (o Outlet) through(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Transport {
	roots := mozilla().Clone()
	roots.AppendCertsFromPEM(o.Roots)
	t := &http.Transport{
		DialContext:         dial,
		TLSClientConfig:     &tls.Config{RootCAs: roots, Certificates: o.Cert, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: outletHandshake,
		IdleConnTimeout:     outletIdle,
		MaxIdleConns:        1,
		ForceAttemptHTTP2:   true,
	}
	if o.Proxy != nil {
		t.Proxy = http.ProxyURL(o.Proxy)
	}
	return t
}

// outlet takes addresses out of errors: of our resolver, of our end of a connection.
type outlet struct{ *http.Transport }

func (o outlet) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := o.Transport.RoundTrip(r)
	if err != nil && r.Context().Err() == nil {
		err = errors.New(ScrubAll(err.Error()))
	}
	return resp, err
}
