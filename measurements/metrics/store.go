package metrics

import "slices"

// storeReasons are the kinds of trouble that package store tells of (store.Troubles).
var storeReasons = []string{"full", "corrupt", "io", "other"}

// StoreFailed counts a failure of the store.
func (m *Metrics) StoreFailed(reason string) {
	if !slices.Contains(storeReasons, reason) {
		reason = "other"
	}
	m.storeErrors.WithLabelValues(reason).Inc()
}

// StoreSize takes over how many bytes the store has on the disk.
func (m *Metrics) StoreSize(bytes int64) { m.storeSize.Set(float64(bytes)) }

// PenaltyShare takes over the greatest part of a day, 0 to 1, for which an address was under a penalty of ours.
func (m *Metrics) PenaltyShare(share float64) { m.penaltyShare.Set(share) }

// OutboxDropped counts messages of a kind that were given up undelivered.
func (m *Metrics) OutboxDropped(kind string, messages int) {
	m.outboxDropped.WithLabelValues(kind).Add(float64(messages))
}
