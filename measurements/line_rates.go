package measurements

import "time"

// neutralRate is how fast a neutral host's object came, in the course of the round.
type neutralRate struct {
	family   Family
	operator string
	at       time.Time
	goodput  float64 // bit/s
}

// readRates gathers the transfers of neutral hosts, which are made where something comes slowly.
func (l *Line) readRates(g *Measurement, again []*Observation) {
	operators, _ := operatorsOf(g, anywhere)
	for _, o := range again {
		if o.Operation == Transfer && o.OK() && o.Transport == "tls" && o.Transfer.Goodput() > 0 {
			l.rates = append(l.rates, neutralRate{o.Family, operators[o.Target], o.Started, o.Transfer.Goodput()})
		}
	}
}

// neutralRate is the slowest rate at which neutral hosts' objects came in the midst of the target's own transfers; 0
// where fewer than three came, or fewer than two operators sent them.
func (c *Case) neutralRate() (slowest float64) {
	own := c.transfers(T)
	made, operators := 0, map[string]bool{}
	for _, r := range c.view.line.rates {
		if r.family != c.Family || r.at.Before(own[0].Started) || r.at.After(own[len(own)-1].Started) {
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
