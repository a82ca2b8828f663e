package probe

import (
	"context"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

const (
	// patientSteps is how long a silent resolver is asked once more about a name, in steps' timeouts: with those of the
	// default, and the first question, 25 seconds. A resolver that can't reach a name's servers gives up within it, and
	// says so (BIND 9, resolver-query-timeout: ten seconds).
	patientSteps = 1.5
	// furtherPause goes before a question that is asked again: limits on questions count by the second (dnsdist's
	// MaxQPSIPRule; BIND 9 keeps a failure for one, servfail-ttl).
	furtherPause = time.Second
)

// askFurther asks the resolver under test again about a name that it failed for, while it resolves a neutral one:
// failures of its own look like those of a censor. One that says SERVFAIL is asked not to validate, and then as
// before, one that refuses is asked two times, and one that is silent is given longer. What it denies, it has denied.
func (p *Plan) askFurther(ctx context.Context, s *sheet, target string, failed measurements.Observation) {
	if p.Without[measurements.D] || failed.DNS == nil {
		return
	}
	var ways []string
	switch failed.Failure {
	case measurements.DNSServfail:
		ways = []string{measurements.AskedUnchecked, measurements.AskedAgain}
	case measurements.DNSRefused:
		ways = []string{measurements.AskedAgain, measurements.AskedAgain}
	case measurements.Timeout:
		p.askOnceMore(ctx, s, target, failed, measurements.AskedPatiently)
	}
	for i, how := range ways {
		wait(ctx, furtherPause)
		if ctx.Err() != nil || i > 0 && !p.resolveNeutral(ctx, s, target, failed.Family) {
			return
		}
		if p.askOnceMore(ctx, s, target, failed, how).Failure != failed.Failure {
			return
		}
	}
}

// askAgainLater asks the resolver under test once more about a neutral name that it failed for: one that then answers
// fails by chance, and a list of names is not like that.
func (p *Plan) askAgainLater(ctx context.Context, s *sheet, target string, failed measurements.Observation) {
	if wait(ctx, furtherPause); !p.Without[measurements.D] {
		p.askOnceMore(ctx, s, target, failed, measurements.AskedAgain)
	}
}

// askOnceMore asks the resolver under test a question that it failed for, with something changed. One resolver's
// patience is enough: the others were silent, too.
func (p *Plan) askOnceMore(ctx context.Context, s *sheet, target string, failed measurements.Observation, how string) (o measurements.Observation) {
	ask, patience := p.Host.Resolve, p.Timeout
	switch how {
	case measurements.AskedUnchecked:
		ask = p.Host.ResolveUnchecked
	case measurements.AskedPatiently:
		patience = time.Duration(patientSteps * float64(p.Timeout))
	}
	for _, res := range p.system {
		if ctx.Err() != nil {
			return o
		}
		sctx, cancel := context.WithTimeout(ctx, patience)
		o = ask(sctx, res, failed.Name, failed.Family)
		cancel()
		anonymous(&o)
		if o.DNS.Further = how; o.DNS.Rcode >= 0 || how == measurements.AskedPatiently {
			break
		}
	}
	if o.DNS != nil {
		s.note(role{target: target, control: measurements.D}, o)
	}
	return o
}
