package measurements

import (
	"math"
	"time"
)

// The sequential test: how often must a failure come again before repetition alone makes a finding
// likely, or confirmed?
//
// A series is what can fail in one way: (app, target, layer, family, signature). Each round gives it at
// most one outcome, and outcomes closer together than the series' decorrelation time (Repetition)
// give one: what fails for a quarter of an hour has failed once.
//
//   - H0, nobody blocks: given all that came before, a trial fails with probability p0 at most. Trials need
//     not be independent for what follows; it is enough that p0 bounds each of them, given the past.
//     What is put in for p0 is the upper 95 % bound of the rate on this very network, from its past
//     (sequential_benign.go). That is less than the lemma asks for: see below.
//   - H1, somebody blocks a share p1 of the trials. What share is not known (the GFW drops 26 % of some
//     connections: Wu et al., USENIX Security 2023), so the alternative is composite: p1 ∈ {0.2, 0.5,
//     0.9}. Where p0 reaches p1, that alternative says nothing.
//
// For each p1 runs a CUSUM (Page, Continuous Inspection Schemes, Biometrika 41, 1954), which adds up
// the evidence and forgets what speaks against H1, since a block has an onset:
//
//	S ← max(0, S + x),  x = ln(p1/p0) after a failure, ln((1-p1)/(1-p0)) after a success
//
// and alarms at S ≥ h. Under H0 the likelihood ratio from any starting trial on is a non-negative
// supermartingale that begins at 1; it ever reaches e^h with probability e^-h at most (Wald, Sequential
// Analysis, 1947; Ville, 1939). S ≥ h means that the ratio from some starting trial did. So among n
// trials at most n·e^-h false alarms are expected, whatever their dependence: it is Lorden's bound
// (Procedures for Reacting to a Change in Distribution, Ann. Math. Stat. 42, 1971), that the mean run
// to a false alarm is e^h trials or more.
//
// The bound is wanted for a vantage as a whole. Its trials are at least 20 minutes apart, 72 a day. Its
// series: 45 targets (BoundedTargets) in two families, at each at most 26 signatures that repetition may
// raise (repetitions): 2,340. Three tests on each:
//
//	confirmed, one false in ten years:  n = 72 · 3652.5 · 2340 · 3 = 1.85e9,  h = ln n = 21.3
//	likely, one false in a month:       n = 72 · 30.4 · 2340 · 3   = 1.54e7,  h = ln n = 16.5
//
// With k times as many targets, as a volunteer's own catalogue may have, k times as many false alarms are allowed.
//
// Confirmed besides needs three failures that span two hours (contract).
//
// What the bound holds for, and what it does not. It is exact where p0 bounds the chance of a failure given
// the past. What we have is a marginal rate, averaged over good hours and bad ones, and its 95 % bound is too low
// at one place in twenty. So these are not in it:
//
//   - failures that come in clusters of more than 20 minutes: in a bad evening each is likelier than p0. The
//     design effect of the tallies and the longer times of Repetition make up for some of that, not by proof;
//   - the twentieth of the places of which the rate is underestimated. The floors of p0 and the shrinkage
//     towards all places' rate leave few of them, not none;
//   - a benign cause that respects no p0, as a server that resets one of its names for hours and answers
//     the neutral one at the same address: Repetition says which findings it is not trusted with.
//
// What comes of all this together is no theorem: it is simulated (probe/noise), with clusters, outages and
// rates that are learnt, and counted where nobody blocks (placebos).
const (
	decorrelation = Decorrelation

	trialsADay = float64(24 * time.Hour / Decorrelation)
	daysAMonth = 30.4375
	tenYears   = 120 * daysAMonth

	confirmedTrials = 3
	confirmedSpan   = 2 * time.Hour
)

// Decorrelation is the least time between trials that count apart: bursts of loss and overload last minutes.
const Decorrelation = 20 * time.Minute

// alternatives are the shares of trials that a censor is taken to block.
var alternatives = [...]float64{0.2, 0.5, 0.9}

// BoundedTargets is how many targets the bounds are made for: what the metrics are dimensioned for. Package
// config's tests hold the built-in catalogue against it.
const BoundedTargets = 45

var (
	testsMost   = float64(BoundedTargets * 2 * len(repetitions) * len(alternatives))
	confirmedAt = math.Log(trialsADay * tenYears * testsMost)
	likelyAt    = math.Log(trialsADay * daysAMonth * testsMost)

	// endedAt is the same bound for the end of a series: at most one false end in a day of trials while a
	// block of the assumed share stands. At 0.2 that takes twenty passes in a row, and in simulation a
	// block that strong is wrongly ended about once a week.
	endedAt = math.Log(trialsADay)

	// transfersEndedAt is that of what transfers tell, of which there are six trials in a day while it is followed.
	transfersEndedAt = math.Log(6)
)

// scores are the CUSUMs of a series, one for each alternative.
type scores [len(alternatives)]float64

// add takes one trial in, of which H0 says that it fails with probability p0 at most.
func (s *scores) add(failed bool, p0 float64) {
	for i, p1 := range alternatives {
		if p0 < p1 {
			s[i] = max(0, s[i]+ratio(failed, p1, p0))
		}
	}
}

// ratio is the logarithm of how much likelier the outcome is under p than under q.
func ratio(failed bool, p, q float64) float64 {
	if failed {
		return math.Log(p / q)
	}
	return math.Log((1 - p) / (1 - q))
}

// most is the greatest of the scores, up to which the evidence has come.
func (s *scores) most() (most float64) {
	for _, x := range s {
		most = max(most, x)
	}
	return most
}

// endScore is the mirrored test: H0 and H1 change places. Its p1 is the greatest alternative that the
// series' own rate supports at 95 %, so that a hard block is over after a few passes, and one that
// lets most through is not over before many.
func endScore(score float64, failed bool, p0 float64, failures, trials int) float64 {
	p1 := alternatives[0]
	for _, a := range alternatives {
		if wilson(float64(failures), float64(trials), -1) >= a {
			p1 = a
		}
	}
	if p0 >= p1 {
		return endedAt // this line fails as often by itself: nothing speaks for a block
	}
	return max(0, score+ratio(failed, p0, p1))
}

// wilson is the upper (side 1) or lower (side -1) 95 % bound of a probability of which k of n trials
// came true (Wilson, Probable Inference, JASA 22, 1927; good for small k: Brown, Cai and DasGupta,
// Interval Estimation for a Binomial Proportion, Statistical Science 16, 2001). Without trials the
// bounds are 1 and 0.
func wilson(k, n, side float64) float64 {
	const z = 1.645 // one-sided 95 %
	if n <= 0 {
		return max(side, 0)
	}
	p := min(k/n, 1)
	middle := p + z*z/(2*n)
	width := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return min(max((middle+side*width)/(1+z*z/n), 0), 1)
}
