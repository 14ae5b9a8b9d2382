package dap

import "fmt"

// NewTimeIntervalQuery returns the query for the batch of an interval (DAP
// Section 5.1.1).
//
//	struct {
//	  Interval batch_interval;
//	} TimeIntervalQueryConfig;
func NewTimeIntervalQuery(batchInterval Interval) Query {
	return Query{BatchMode: BatchModeTimeInterval, Config: batchInterval.appendTo(nil)}
}

// NewLeaderSelectedQuery returns the query for the next batch that the Leader
// selects (DAP Section 5.2.1).
func NewLeaderSelectedQuery() Query { return Query{BatchMode: BatchModeLeaderSelected} }

// NewTimeIntervalBatchSelector returns the batch selector for the batch of an
// interval (DAP Section 5.1.2).
//
//	struct {
//	  Interval batch_interval;
//	} TimeIntervalBatchSelectorConfig;
func NewTimeIntervalBatchSelector(batchInterval Interval) BatchSelector {
	return BatchSelector{BatchMode: BatchModeTimeInterval, Config: batchInterval.appendTo(nil)}
}

// NewLeaderSelectedBatchSelector returns the batch selector for a batch that
// the Leader selected (DAP Section 5.2.3).
//
//	struct {
//	  BatchID batch_id;
//	} LeaderSelectedBatchSelectorConfig;
func NewLeaderSelectedBatchSelector(id BatchID) BatchSelector {
	return BatchSelector{BatchMode: BatchModeLeaderSelected, Config: id[:]}
}

// BatchInterval returns the batch interval of a time-interval query. Its
// *Error is of type invalidMessage if the query is not a time-interval query
// or does not decode, and of type batchInvalid if the interval is not well
// formed or empty (DAP Sections 5.1.1 and 5.1.3).
func (q Query) BatchInterval() (Interval, error) {
	return batchInterval("query", q.BatchMode, q.Config)
}

// CheckLeaderSelected checks that the query is one for the next batch that the
// Leader selects. Its *Error is of type invalidMessage.
func (q Query) CheckLeaderSelected() error {
	if q.BatchMode != BatchModeLeaderSelected {
		return wrongBatchMode("query", q.BatchMode, BatchModeLeaderSelected)
	}
	if len(q.Config) != 0 {
		return &Error{Type: ErrorTypeInvalidMessage, Detail: fmt.Sprintf("the leader_selected query has a configuration of %d bytes; it must be empty", len(q.Config))}
	}
	return nil
}

// Check checks the query of a task with that batch mode: CheckLeaderSelected
// or the errors of BatchInterval.
func (q Query) Check(mode BatchMode) error {
	if mode == BatchModeLeaderSelected {
		return q.CheckLeaderSelected()
	}
	_, err := q.BatchInterval()
	return err
}

// BatchInterval returns the batch interval of a time-interval batch selector,
// with the errors of Query.BatchInterval (DAP Sections 5.1.2 and 5.1.3).
func (s BatchSelector) BatchInterval() (Interval, error) {
	return batchInterval("batch selector", s.BatchMode, s.Config)
}

// BatchID returns the batch ID of a leader-selected batch selector. Its *Error
// is of type invalidMessage (DAP Section 5.2.3).
func (s BatchSelector) BatchID() (BatchID, error) {
	if s.BatchMode != BatchModeLeaderSelected {
		return BatchID{}, wrongBatchMode("batch selector", s.BatchMode, BatchModeLeaderSelected)
	}
	if len(s.Config) != len(BatchID{}) {
		return BatchID{}, &Error{Type: ErrorTypeInvalidMessage, Detail: fmt.Sprintf("the batch ID of the batch selector has %d bytes; it must have %d", len(s.Config), len(BatchID{}))}
	}
	return BatchID(s.Config), nil
}

// CheckBatchSelector checks a batch selector against the query that it is to
// answer, in a task with that batch mode (DAP Section 4.6.4): both are well
// formed and of this batch mode, and in the time-interval mode the selector's
// interval is within the query's (DAP Section 5.1.2). Its *Error is of type
// invalidMessage or batchInvalid.
func CheckBatchSelector(mode BatchMode, query Query, selector BatchSelector) error {
	if mode == BatchModeLeaderSelected {
		if err := query.CheckLeaderSelected(); err != nil {
			return err
		}
		_, err := selector.BatchID()
		return err
	}
	queried, err := query.BatchInterval()
	if err != nil {
		return err
	}
	selected, err := selector.BatchInterval()
	if err != nil {
		return err
	}
	if !queried.ContainsInterval(selected) {
		return &Error{Type: ErrorTypeBatchInvalid, Detail: fmt.Sprintf("the batch selector's interval %s is not within the query's %s", selected, queried)}
	}
	return nil
}

// batchInterval decodes the configuration of a time-interval query or batch
// selector.
func batchInterval(what string, mode BatchMode, config []byte) (Interval, error) {
	if mode != BatchModeTimeInterval {
		return Interval{}, wrongBatchMode(what, mode, BatchModeTimeInterval)
	}
	interval, err := DecodeInterval(config)
	if err != nil {
		return Interval{}, &Error{Type: ErrorTypeInvalidMessage, Detail: fmt.Sprintf("the configuration of the time_interval %s has %d bytes; it must be an Interval of %d", what, len(config), intervalLength)}
	}
	if err := interval.CheckWellFormed(); err != nil {
		return Interval{}, &Error{Type: ErrorTypeBatchInvalid, Detail: fmt.Sprintf("the batch interval of the %s: start %d, duration %d: not a well-formed interval of at least 1 time precision", what, uint64(interval.Start), uint64(interval.Duration))}
	}
	return interval, nil
}

func wrongBatchMode(what string, got, want BatchMode) error {
	return &Error{Type: ErrorTypeInvalidMessage, Detail: fmt.Sprintf("the batch mode of the %s is %s; the task's is %s", what, got, want)}
}

// NewLeaderSelectedBatchIDExtension returns the extension that tells the Helper
// to which batch an aggregation job's reports belong (DAP Section 5.2.2).
func NewLeaderSelectedBatchIDExtension(id BatchID) AggregationJobExtension {
	return AggregationJobExtension{Type: AggregationJobExtensionLeaderSelectedBatchID, Data: id[:]}
}

// LeaderSelectedBatchID returns the batch ID among an aggregation job's
// extensions. Its *Error is of type invalidMessage if there is none or it is
// not a batch ID (DAP Section 5.2.2). CheckAggregationJobExtensions, called
// first, sees to it that it occurs once.
func LeaderSelectedBatchID(extensions []AggregationJobExtension) (BatchID, error) {
	for _, e := range extensions {
		if e.Type != AggregationJobExtensionLeaderSelectedBatchID {
			continue
		}
		if len(e.Data) != len(BatchID{}) {
			return BatchID{}, &Error{Type: ErrorTypeInvalidMessage, Detail: fmt.Sprintf("the extension leader_selected_batch_id has %d bytes; a batch ID has %d", len(e.Data), len(BatchID{}))}
		}
		return BatchID(e.Data), nil
	}
	return BatchID{}, &Error{Type: ErrorTypeInvalidMessage, Detail: "the extension leader_selected_batch_id is missing from the aggregation job"}
}
