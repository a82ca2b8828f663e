package probe

import (
	"context"
	"net/http"

	"github.com/telltale-probe/telltale/measurements"
)

// Section is a part of the list of what is sent.
type Section struct {
	To       string
	Messages []Message
}

// Tape lists all that rounds of the plan send, in sections, as Tape does it of a target: to the targets of its apps, then
// to whom it asks beside them, if it asks anybody. Nothing leaves the process.
func (p *Plan) Tape(ctx context.Context) (out []Section) {
	tp := &tape{under: p.System}
	add := func(to string, tape func()) {
		tp.out = nil
		tape()
		out = append(out, Section{to, tp.out})
	}
	for _, a := range p.Apps {
		for _, t := range a.Targets {
			add(a.ID+" "+t.ID, func() { tp.ofTarget(ctx, t) })
		}
	}
	for _, c := range p.Controls {
		add("neutral host "+c.Host, func() { tp.ofControl(ctx, c) })
	}
	for _, t := range p.Placebo.Targets {
		add("placebo "+t.ID, func() { tp.ofTarget(ctx, t) })
	}
	if len(p.Controls) == 0 {
		return out
	}
	name := p.Controls[0].Host // any is asked in the same way
	for _, r := range tp.asked() {
		to := "the resolver under test"
		if len(p.System) == 0 {
			to += ", and those behind a stub"
		}
		add(to+", beside the queries above; any name is asked in the same way, here "+name, func() { tp.ofSystem(ctx, r, name) })
	}
	for _, r := range p.Trusted {
		add("resolver "+r.URL+", where a name fails, here "+name, func() { tp.ofTrusted(ctx, r, name) })
	}
	if p.Reference != nil {
		add("reference vantage", func() { tp.ofReference(ctx, *p.Reference, p.Trusted) })
	}
	return out
}

// ofControl is what a neutral host of the gate gets. It is sent again where something fails or is silent for long.
func (tp *tape) ofControl(ctx context.Context, c Control) {
	tp.resolve(ctx, c.Host)
	for _, w := range c.Probes {
		switch w {
		case ProbeHTTPS:
			tp.hello(ctx, c.Host, measurements.Small, offersOf(w), "")
			tp.hello(ctx, c.Host, measurements.Default, offersOf(w), "")
			tp.request(ctx, "request", HTTPInput{Method: http.MethodHead, Host: c.Host, Path: c.Path})
			tp.request(ctx, "request for the object (where an app's comes slowly, or in part; and to whoever shows another's certificate)", HTTPInput{Host: c.Host, Path: c.Path})
			tp.request(ctx, "request to whoever shows another's certificate", HTTPInput{Host: c.Host, Path: "/"})
		case ProbeHTTP:
			tp.request(ctx, "request in clear", HTTPInput{Host: c.Host, Path: c.Path})
			tp.request(ctx, "request in clear, of two segments (where large hellos die)", HTTPInput{Host: c.Host, Path: c.Path, Padding: requestPadding})
		case ProbeH3:
			tp.initial(ctx, c.Host, measurements.Small, "")
			tp.ping(ctx, "QUIC of an unknown version, with a hop limit of one and of two, there and to port 33434 (where QUIC dies at all neutral hosts)")
		}
	}
}
