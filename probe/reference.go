package probe

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/measurements/reference"
	"github.com/telltale-probe/telltale/probe/schedule"
)

const (
	// referencePause is the least time between two questions to a reference; until then the last answer
	// stands. Chosen by us: a third of the default interval, so that rounds under suspicion cost no more.
	referencePause = 5 * time.Minute
	// referenceBytes is the estimate that the budget is asked for: an answer of the default catalogue
	// with its handshake. Chosen by us.
	referenceBytes = 96 << 10
	// referencePatience is how many step timeouts a question may take: to resolve, to connect, to shake
	// hands and to read, twice.
	referencePatience = 4
)

// Reference is the reference vantage to ask (control R), and what it said last. One value serves all
// rounds of a daemon, one after the other.
type Reference struct {
	URL       string            // http or https; the signature protects what comes over either
	PublicKey ed25519.PublicKey // of the reference

	asked  time.Time // zero: never
	answer *reference.Answer
	failed string // why the last question brought nothing; "" where it did
}

// askReference gives the reference's word for this round, and why there is none. It asks at most every five
// minutes, and never longer than a few step timeouts; an answer is used until it is stale.
func (p *Plan) askReference(ctx context.Context) func(app string) *measurements.Reference {
	r := p.Reference
	if r == nil || p.Without[measurements.R] {
		return func(string) *measurements.Reference { return nil }
	}
	switch now := time.Now(); {
	case !r.asked.IsZero() && now.Sub(r.asked) < referencePause && !now.Before(r.asked):
	case p.Budget != nil && !p.Budget.Allow(referenceBytes):
		r.failed = "the daily budget is spent"
	default:
		r.asked, r.failed = now, ""
		answer, err := p.fetchReference(ctx, r)
		if err != nil {
			r.failed = err.Error()
		} else {
			r.answer = answer
		}
	}
	return r.about(time.Now())
}

// about is what is known now: the last answer while it is fresh, else why there is none.
func (r *Reference) about(now time.Time) func(app string) *measurements.Reference {
	answer, none := r.answer, r.failed
	if answer != nil {
		if err := answer.Fresh(now); err != nil {
			answer = nil
			if none == "" {
				none = err.Error()
			}
		}
	}
	if answer == nil {
		return func(string) *measurements.Reference { return &measurements.Reference{None: none} }
	}
	return answer.About
}

// fetchReference asks each address of the reference in turn. Its errors are sentences for the record:
// they hold failure words, and no address.
func (p *Plan) fetchReference(ctx context.Context, r *Reference) (*reference.Answer, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, errors.New("its URL can't be read")
	}
	ctx, cancel := context.WithTimeout(ctx, referencePatience*p.Timeout)
	defer cancel()
	addresses := p.referenceAddresses(ctx, u.Hostname())
	if len(addresses) == 0 {
		return nil, errors.New("unreachable: its name was not resolved")
	}
	var last error
	for _, a := range addresses[:min(len(addresses), maxAddresses)] {
		body, err := p.getReference(ctx, u, netip.AddrPortFrom(a, portOfURL(u)))
		if err != nil {
			last = err
			continue
		}
		answer, err := reference.Open(body, r.PublicKey, time.Now())
		if err != nil {
			return nil, err
		}
		return answer, nil
	}
	return nil, last
}

func portOfURL(u *url.URL) uint16 {
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(n)
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}

// referenceAddresses resolves the reference's name by whoever answers: a lie about it costs us R and no
// more, since an answer proves itself.
func (p *Plan) referenceAddresses(ctx context.Context, host string) (out []netip.Addr) {
	routed, _ := p.families()
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}
	}
	for _, resolver := range append(append([]Resolver{}, p.Trusted...), p.system...) {
		for _, f := range routed {
			sctx, cancel := p.step(ctx)
			o := p.Host.Resolve(sctx, resolver, host, f)
			cancel()
			p.spend(schedule.Wire(o))
			if o.OK() && o.DNS != nil {
				out = append(out, o.DNS.Addresses...)
			}
		}
		if len(out) > 0 || ctx.Err() != nil {
			break
		}
	}
	return out
}

// getReference makes one exchange at one address: connect, a verified handshake where the URL asks for
// one, and a GET. What it costs is counted; it is no observation of an app, and leaves none.
func (p *Plan) getReference(ctx context.Context, u *url.URL, ep netip.AddrPort) ([]byte, error) {
	sctx, cancel := p.step(ctx)
	defer cancel()
	conn, o := p.Host.Connect(sctx, ep)
	p.spend(schedule.Wire(o))
	if conn == nil {
		return nil, errors.New("unreachable: connect: " + o.Failure.Reason())
	}
	defer func() { _ = conn.Close() }()
	var stream net.Conn = conn
	if u.Scheme == "https" {
		tctx, done := p.step(ctx)
		defer done()
		secure, h := p.Host.TLS(tctx, conn, TLSInput{Name: u.Hostname(), ALPN: referenceALPN})
		p.spend(schedule.Wire(h))
		if !h.OK() {
			return nil, errors.New("unreachable: TLS handshake: " + h.Failure.Reason())
		}
		stream = secure
	}
	x := beginOn(measurements.HTTPExchange, "tcp", conn, u.Hostname())
	xctx, done := p.step(ctx)
	defer done()
	body, err := getOver(xctx, stream, u)
	seen := x.end(conn, ended(xctx, err))
	p.spend(schedule.Wire(seen))
	switch {
	case errors.Is(err, errReferenceStatus), errors.Is(err, reference.ErrTooLarge):
		return nil, err
	case err != nil:
		return nil, errors.New("unreachable: HTTP exchange: " + seen.Failure.Reason())
	}
	return body, nil
}

// referenceALPN is what the hello to a reference offers: one exchange needs no streams.
var referenceALPN = []string{"http/1.1"}

// errReferenceStatus is an answer that is none: a telltale that serves no reference says 404.
var errReferenceStatus = errors.New("it has no answer for us")

// getOver asks once over a connection. No redirect is followed, and no more is read than an answer may have.
func getOver(ctx context.Context, conn net.Conn, u *url.URL) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", UserAgent)
	req.Header.Set("Accept", "application/json")
	var spent atomic.Bool
	handOut := func(context.Context, string, string) (net.Conn, error) {
		if spent.Swap(true) {
			return nil, errSpent
		}
		return conn, nil
	}
	t := &http.Transport{DialContext: handOut, DialTLSContext: handOut, DisableCompression: true, DisableKeepAlives: true, MaxResponseHeaderBytes: mostHeader}
	defer t.CloseIdleConnections()
	resp, err := t.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, errReferenceStatus
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, reference.MaxBytes+1))
	if err == nil && len(body) > reference.MaxBytes {
		err = reference.ErrTooLarge
	}
	return body, err
}
