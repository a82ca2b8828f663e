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
	add := func(to string, messages []Message) { out = append(out, Section{to, messages}) }
	for _, a := range p.Apps {
		for _, t := range a.Targets {
			add(a.ID+" "+t.ID, Tape(ctx, t))
		}
	}
	for _, c := range p.Controls {
		tp := &tape{}
		tp.ofControl(ctx, c)
		add("neutral host "+c.Host, tp.out)
	}
	for _, t := range p.Placebo.Targets {
		add("placebo "+t.ID, Tape(ctx, t))
	}
	if len(p.Controls) == 0 {
		return out
	}
	asked, under := p.Controls[0].Host, &tape{} // any name is asked in the same way
	systems := []*Resolver{nil}
	if len(p.System) > 0 {
		systems = nil
		for i := range p.System {
			systems = append(systems, &p.System[i])
		}
	}
	for _, r := range systems {
		under.ofSystem(ctx, r, asked)
	}
	add("the resolver under test, and those behind a stub, beside the queries above; any name is asked in the same way, here "+asked, under.out)
	for _, r := range p.Trusted {
		tp := &tape{}
		tp.ofTrusted(ctx, r, asked)
		add("resolver "+r.URL+", where a name fails, here "+asked, tp.out)
	}
	if p.Reference != nil {
		tp := &tape{}
		tp.ofReference(ctx, *p.Reference, p.Trusted)
		add("reference vantage", tp.out)
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
