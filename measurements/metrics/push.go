package metrics

import "time"

// PushDelivered takes over that a receiver has messages of a kind.
func (m *Metrics) PushDelivered(kind string, at time.Time) {
	m.pushSuccess.WithLabelValues(kind).Set(unix(at))
}

// PushFailed counts an attempt to deliver that failed, by one of delivery.Reasons.
func (m *Metrics) PushFailed(kind, reason string) { m.pushFailures.WithLabelValues(kind, reason).Inc() }

// OutboxWaiting takes over how many messages of a kind wait.
func (m *Metrics) OutboxWaiting(kind string, messages int) {
	m.outboxMessages.WithLabelValues(kind).Set(float64(messages))
}

// PushOff forgets a kind that is not delivered any more.
func (m *Metrics) PushOff(kind string) {
	m.pushSuccess.DeleteLabelValues(kind)
	m.outboxMessages.DeleteLabelValues(kind)
}
