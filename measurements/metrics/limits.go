package metrics

// The contract allows 1,000 series on a clean line and 2,000 under heavy blocking. A catalogue of 4
// apps and 45 targets takes nearly all of the first thousand; these bounds share out the second. They
// hold against anybody on the path too: who answers with ever new error codes makes no new series.
const (
	// maxBlockingSeries bounds telltale_blocking and its two timestamps together. At its limit the
	// findings that ended first make room; while all stand, new ones are left to the states.
	maxBlockingSeries = 540

	// maxFailureSeries bounds telltale_step_failures_total. Past it failures are counted under the
	// target and the reason otherLabel, at most one series for each app, layer and family.
	maxFailureSeries = 400

	otherLabel = "other"
)
