package measurements

import (
	"net/netip"
	"net/url"
	"strings"
)

// redirectedElsewhere weighs a redirect that anybody on the path may have written.
func redirectedElsewhere(c *Case) *Finding {
	if !c.redirectedAway() {
		return nil
	}
	to := c.T.HTTP.Location
	switch {
	case c.view.leadsOverTLS(c.Name, to):
		return &Finding{State: OK, Reasons: []string{"redirected to another site, where the app's own server leads over verified TLS, too"}}
	case c.N == nil || !c.N.OK() || c.N.HTTP == nil:
		return inconclusive(HTTPRedirect, "redirected to a site that is not the app's; no neutral Host was answered there just before")
	case sameHost(c.N.HTTP.Location, to):
		return inconclusive(HTTPRedirect, "whatever the Host, this place redirects there")
	case secureName(to):
		return blocked(HTTPRedirect, Suspected, "redirected to a site that is not the app's, and a neutral Host at the same place is not", "it is one on HTTPS, as where an app moves to a new name; no word of its own over verified TLS tells")
	}
	return blocked(HTTPRedirect, Likely, "redirected to a site that is not the app's; a neutral Host at the same place is not")
}

// leadsOverTLS says whether the name's own server, over verified TLS, redirects to the same host in this round.
func (v *view) leadsOverTLS(name, to string) bool {
	for i := range v.m.Observations {
		o := &v.m.Observations[i]
		if o.Operation == HTTPExchange && o.Control == T && o.Name == name && o.OK() && o.HTTP.verified() && sameHost(o.HTTP.Location, to) {
			return true
		}
	}
	return false
}

// sameHost says whether two Locations lead to one host, whatever they ask of it.
func sameHost(a, b string) bool {
	x, err := url.Parse(a)
	y, other := url.Parse(b)
	return err == nil && other == nil && x.Hostname() != "" && strings.EqualFold(x.Hostname(), y.Hostname())
}

// secureName says whether a Location leads to a name on HTTPS, which nobody but its owner can serve.
func secureName(location string) bool {
	u, err := url.Parse(location)
	if err != nil || u.Scheme != "https" {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	return err != nil
}

// redirectedAway says whether a clear answer leads to a site that is not the target's.
func (c *Case) redirectedAway() bool {
	h := c.T.HTTP
	return !c.Failed() && h != nil && !h.Verified && h.Status >= 300 && h.Status < 400 && h.Location != "" &&
		!sameSite(h.Location, append([]string{c.Name}, c.Target.Hosts...))
}
