package ooni

import (
	"net/netip"
	"net/url"
	"strconv"

	"github.com/telltale-probe/telltale/measurements"
)

func requestOf(o *measurements.Observation, s span) request {
	h := o.HTTP
	if h == nil {
		h = &measurements.HTTP{}
	}
	network := "tcp"
	if o.Transport == "quic" {
		network = "udp"
	}
	host := headers("Host", o.Name)
	got := headers("Date", h.Date, "Location", h.Location) // of the others we keep no value
	return request{
		Network: network, Address: o.Endpoint, ALPN: h.Proto, Failure: failureOf(o.Failure), span: s,
		Request: httpRequest{
			HeadersList: host, Headers: byName(host), Method: h.Method, Transport: network, URL: urlOf(o, h),
		},
		Response: httpResponse{
			Body: text(h.Body), BodyIsTruncated: h.BodyTruncated || int64(len(h.Body)) < h.BodyBytes,
			Code: h.Status, HeadersList: got, Headers: byName(got),
		},
	}
}

// headers makes a list of those that have a value, from names and values in turn.
func headers(pairs ...string) [][2]text {
	out := [][2]text{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, [2]text{text(pairs[i]), text(pairs[i+1])})
		}
	}
	return out
}

func byName(list [][2]text) map[string]text {
	out := map[string]text{}
	for _, h := range list {
		out[string(h[0])] = h[1]
	}
	return out
}

func urlOf(o *measurements.Observation, h *measurements.HTTP) string {
	u := url.URL{Scheme: "https", Host: o.Name}
	standard := uint16(443)
	if o.Transport == "tcp" {
		u.Scheme, standard = "http", 80
	}
	ap, err := netip.ParseAddrPort(o.Endpoint)
	if u.Host == "" && err == nil {
		u.Host = ap.Addr().String()
		if ap.Addr().Is6() {
			u.Host = "[" + u.Host + "]"
		}
	}
	if err == nil && ap.Port() != standard {
		u.Host += ":" + strconv.Itoa(int(ap.Port()))
	}
	return u.String() + h.Path // as it was sent: url.URL would escape it again
}
