package store

// retained is what a task's counters say of the reports that it knows no more, and of its newest one.
// It is embedded in leaderCounters and helperCounters, whose own fields count all reports that ever were.
type retained struct {
	// Newest is the newest time of a report that was accepted (Leader) or counted (Helper).
	Newest uint64 `cbor:"20,keyasint,omitempty"`
	// Of the reports below the floor that were forgotten: those that were in batch buckets, those of
	// them whose batch was collected, and those that were rejected, by report error.
	ForgottenAggregated uint64           `cbor:"21,keyasint,omitempty"`
	ForgottenCollected  uint64           `cbor:"22,keyasint,omitempty"`
	ForgottenRejected   map[uint8]uint64 `cbor:"23,keyasint,omitempty"`
}

// expired is how many reports were counted and then forgotten before their batch was collected.
func (r *retained) expired() uint64 { return r.ForgottenAggregated - r.ForgottenCollected }
