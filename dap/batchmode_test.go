package dap

import (
	"math"
	"testing"
)

func TestQueries(t *testing.T) {
	interval := Interval{1659544, 10}
	if got, err := NewTimeIntervalQuery(interval).BatchInterval(); got != interval || err != nil {
		t.Errorf("query: %v, %v; want %v", got, err, interval)
	}
	if got, err := NewTimeIntervalBatchSelector(interval).BatchInterval(); got != interval || err != nil {
		t.Errorf("batch selector: %v, %v; want %v", got, err, interval)
	}
	id := BatchID{0: 1, 31: 2}
	if got, err := NewLeaderSelectedBatchSelector(id).BatchID(); got != id || err != nil {
		t.Errorf("batch selector: %v, %v; want %v", got, err, id)
	}
	if err := NewLeaderSelectedQuery().Check(BatchModeLeaderSelected); err != nil {
		t.Error(err)
	}
	if err := NewTimeIntervalQuery(interval).Check(BatchModeTimeInterval); err != nil {
		t.Error(err)
	}
}

func TestCheckBatchSelector(t *testing.T) {
	const timeInterval, leaderSelected = BatchModeTimeInterval, BatchModeLeaderSelected
	query := NewTimeIntervalQuery(Interval{10, 10})
	next := NewLeaderSelectedQuery()
	batch := NewLeaderSelectedBatchSelector(BatchID{1})
	selector := func(start Time, duration Duration) BatchSelector {
		return NewTimeIntervalBatchSelector(Interval{start, duration})
	}
	tests := []struct {
		name     string
		mode     BatchMode
		query    Query
		selector BatchSelector
		want     ErrorType // empty for none
	}{
		{"the same interval", timeInterval, query, selector(10, 10), ""},
		{"within the interval", timeInterval, query, selector(12, 3), ""},
		{"starts before", timeInterval, query, selector(9, 5), ErrorTypeBatchInvalid},
		{"ends after", timeInterval, query, selector(15, 6), ErrorTypeBatchInvalid},
		{"empty query", timeInterval, NewTimeIntervalQuery(Interval{10, 0}), selector(10, 1), ErrorTypeBatchInvalid},
		{"empty selector", timeInterval, query, selector(10, 0), ErrorTypeBatchInvalid},
		{"query without end", timeInterval, NewTimeIntervalQuery(Interval{10, math.MaxUint64}), selector(10, 1), ErrorTypeBatchInvalid},
		{"selector without end", timeInterval, query, selector(10, math.MaxUint64), ErrorTypeBatchInvalid},
		{"short query", timeInterval, Query{timeInterval, make([]byte, 15)}, selector(10, 1), ErrorTypeInvalidMessage},
		{"long query", timeInterval, Query{timeInterval, make([]byte, 17)}, selector(10, 1), ErrorTypeInvalidMessage},
		{"short selector", timeInterval, query, BatchSelector{timeInterval, nil}, ErrorTypeInvalidMessage},
		{"query of the other mode", timeInterval, next, selector(10, 1), ErrorTypeInvalidMessage},
		{"selector of the other mode", timeInterval, query, batch, ErrorTypeInvalidMessage},
		{"leader-selected", leaderSelected, next, batch, ""},
		{"leader-selected query with content", leaderSelected, Query{leaderSelected, []byte{0}}, batch, ErrorTypeInvalidMessage},
		{"leader-selected query of the other mode", leaderSelected, query, batch, ErrorTypeInvalidMessage},
		{"leader-selected selector of the other mode", leaderSelected, next, selector(10, 1), ErrorTypeInvalidMessage},
		{"short batch ID", leaderSelected, next, BatchSelector{leaderSelected, make([]byte, 31)}, ErrorTypeInvalidMessage},
		{"long batch ID", leaderSelected, next, BatchSelector{leaderSelected, make([]byte, 33)}, ErrorTypeInvalidMessage},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := CheckBatchSelector(test.mode, test.query, test.selector)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, test.want)
		})
	}
}

func TestQueryCheck(t *testing.T) {
	wantError(t, NewLeaderSelectedQuery().Check(BatchModeTimeInterval), ErrorTypeInvalidMessage)
	wantError(t, NewTimeIntervalQuery(Interval{1, 1}).Check(BatchModeLeaderSelected), ErrorTypeInvalidMessage)
	wantError(t, NewTimeIntervalQuery(Interval{1, 0}).Check(BatchModeTimeInterval), ErrorTypeBatchInvalid)
}

func TestLeaderSelectedBatchID(t *testing.T) {
	id := BatchID{5, 6}
	got, err := LeaderSelectedBatchID([]AggregationJobExtension{{Type: 0}, NewLeaderSelectedBatchIDExtension(id)})
	if got != id || err != nil {
		t.Errorf("%v, %v; want %v", got, err, id)
	}
	for _, bad := range [][]AggregationJobExtension{
		nil,
		{{Type: 2, Data: make([]byte, 32)}},
		{{Type: 1, Data: make([]byte, 31)}},
		{{Type: 1, Data: make([]byte, 33)}},
	} {
		_, err := LeaderSelectedBatchID(bad)
		wantError(t, err, ErrorTypeInvalidMessage)
	}
}
