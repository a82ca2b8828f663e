package measurements

// Benign failures: how often a trial fails on this network without anybody's will.
//
// Trials outside suspicion are the sample: those in which nothing failed while no series was open, and
// those of series that were dropped again, failures and all. Steps of control N that failed while the
// target's passed are of the same kind by construction, and count too. A series that became likely by
// counting, or confirmed, is left out for good.

// Tally counts failures of one kind in decorrelated trials. Failures come in clusters (a bad evening),
// so their squares are kept as well: variance over mean of a compound Poisson count is E[c²]/E[c].
type Tally struct {
	Failures int `json:"failures"` // all of them
	Squares  int `json:"squares"`  // sum of the squares of the clusters' sizes
}

// cluster notes n failures that belong together.
func (t *Tally) cluster(n int) {
	t.Failures += n
	t.Squares += n * n
}

// designEffect is how many failures carry the weight of one (Kish, Survey Sampling, 1965, section 8.2):
// the variance of the count, over that of independent failures at the same rate. One cluster of one is
// added, so that it is 1 where nothing is known.
func (t Tally) designEffect() float64 { return float64(t.Squares+1) / float64(t.Failures+1) }

const (
	// shrinkage is the number of trials as which the rate of all targets counts at each target, and as
	// which what we assume beforehand counts at all targets. Chosen by us: a week of trials at one place.
	shrinkage = 500

	// What is assumed of a network that is not known yet, and the least that is ever believed. Silence:
	// one in 200, a line that loses 3 % in bursts, and so streams that stall or are slow; the rest: one in 1,000, as load balancers that are
	// drained and home routers that forget a connection reset. The floor is as low as a vantage can
	// measure in a month at one place. Chosen by us; simulated in probe/noise.
	silentAssumed, silentFloor = 0.005, 0.005
	spokenAssumed, spokenFloor = 0.001, 0.002
)

// assumed gives what is assumed of a kind of failure, and the least that is believed.
func assumed(kind string) (rate, floor float64) {
	switch kind {
	case "timeout", "eof", "servfail", kindOf(TLSCutoffSNI), kindOf(ThrottleSNI):
		return silentAssumed, silentFloor
	}
	return spokenAssumed, spokenFloor
}

// benignRate is p0: the upper 95 % bound of the rate at which trials at one place fail in one way, from
// the place's own trials, which count as fewer where failures come in clusters, shrunk towards the rate
// of all places.
func benignRate(kind string, here, all Tally, trialsHere, trialsAll int) float64 {
	rate, floor := assumed(kind)
	effect := max(all.designEffect(), 1)
	pooled := (float64(all.Failures) + shrinkage*rate) / (float64(trialsAll) + shrinkage)
	failures := float64(here.Failures)/effect + shrinkage*pooled
	trials := float64(trialsHere)/effect + shrinkage
	return max(wilson(failures, trials, 1), floor)
}
