package measurements

import (
	"slices"
	"time"
)

// neutralRate is how a neutral host's object came, in the course of the round.
type neutralRate struct {
	family   Family
	operator string
	at       time.Time
	goodput  float64 // bit/s; 0 where too little came to tell
	bytes    int64
}

// readRates gathers the transfers of neutral hosts, which are made where something comes slowly, or is cut off.
func (l *Line) readRates(g *Measurement, again []*Observation) {
	operators, _ := operatorsOf(g, anywhere)
	for _, o := range again {
		if o.Operation == Transfer && o.OK() && o.Transfer != nil && o.Transport == "tls" {
			l.rates = append(l.rates, neutralRate{o.Family, operators[o.Target], o.Started, o.Transfer.Goodput(), o.Transfer.Bytes})
		}
	}
}

// neutralRate is the slowest rate at which neutral hosts' objects came in the midst of the target's own transfers; 0
// where fewer than three came, or fewer than two operators sent them.
func (c *Case) neutralRate() (slowest float64) {
	own := c.transfers(T)
	made, operators := 0, map[string]bool{}
	for _, r := range c.view.line.rates {
		if r.goodput == 0 || r.family != c.Family || r.at.Before(own[0].Started) || r.at.After(own[len(own)-1].Started) {
			continue
		}
		made, operators[r.operator] = made+1, true
		if slowest == 0 || r.goodput < slowest {
			slowest = r.goodput
		}
	}
	if made < medianNeeds || len(operators) < minOperators {
		return 0
	}
	return slowest
}

// elsewhereGoesOn says whether a stream of ours from another network brought more than one that was cut off: a neutral
// host's, or another target's. What cuts all streams of a household alike cuts those.
func (c *Case) elsewhereGoesOn(count int64) bool {
	for _, r := range c.view.line.rates {
		if r.family == c.Family && passesCount(r.bytes, count) {
			return true
		}
	}
	return slices.ContainsFunc(c.all, func(d *Case) bool {
		return d.Family == c.Family && network(d.Addr()) != network(c.Addr()) && d.T.OK() && passesCount(d.T.Transfer.Bytes, count)
	})
}

// passesCount says whether a transfer brought plainly more than a count at which another ended.
func passesCount(bytes, count int64) bool {
	return float64(bytes) > float64(count)*(1+sameCount)+twoSegments
}
