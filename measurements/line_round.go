package measurements

// judgeLineOf reads the gate, and then the apps beside it: some troubles of the line show only where both are
// seen. What the apps say of themselves excuses the line of nothing, and blames it for nothing alone.
func judgeLineOf(r *Round) *Line {
	l := judgeLine(&r.Gate)
	l.readFlows(r)
	return l
}
