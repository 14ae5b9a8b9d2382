package aggregator

import (
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// CollectionStatus is the state of a collection job at a Leader (DAP Section
// 4.6.1). Body is the encoded CollectionJobResp once it is Ready.
type CollectionStatus struct {
	ID         dap.CollectionJobID
	Ready      bool
	Body       []byte
	RetryAfter time.Duration // while not Ready
}

// AggregationStatus is the state of an aggregation job at a Helper (DAP Section
// 4.5). Body is the encoded AggregationJobResp of Step once it is Ready.
type AggregationStatus struct {
	ID         dap.AggregationJobID
	Step       uint16
	Ready      bool
	Body       []byte
	RetryAfter time.Duration // while not Ready
}

// AggregateShareStatus is the state of an aggregate share at a Helper (DAP
// Section 4.6.4). Body is the encoded AggregateShare once it is Ready.
type AggregateShareStatus struct {
	ID         dap.AggregateShareID
	Ready      bool
	Body       []byte
	RetryAfter time.Duration // while not Ready
}
