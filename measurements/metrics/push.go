package metrics

// PushFailed counts an attempt to deliver that failed, by one of delivery.Reasons.
func (m *Metrics) PushFailed(kind, reason string) { m.pushFailures.WithLabelValues(kind, reason).Inc() }

// OutboxWaiting takes over how many messages wait for receivers.
func (m *Metrics) OutboxWaiting(messages int) {
	m.outboxMessages.WithLabelValues().Set(float64(messages))
}

// PushOff says that there is no receiver.
func (m *Metrics) PushOff() { m.outboxMessages.Reset() }
