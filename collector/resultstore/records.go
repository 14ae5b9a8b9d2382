package resultstore

import (
	"math/big"
	"time"

	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/dap"
)

// taskRecord is a task, under its ID.
type taskRecord struct {
	File    []byte `cbor:"1,keyasint"`
	Token   []byte `cbor:"2,keyasint,omitempty"` // sealed
	Every   string `cbor:"3,keyasint"`
	Delay   *int64 `cbor:"4,keyasint,omitempty"` // nanoseconds
	AddedAt int64  `cbor:"5,keyasint"`
	Ordinal uint64 `cbor:"6,keyasint"` // in the order in which they were added
}

func (r *taskRecord) schedule() service.Schedule {
	schedule := service.Schedule{Every: service.Every(r.Every)}
	if r.Delay != nil {
		delay := time.Duration(*r.Delay)
		schedule.Delay = &delay
	}
	return schedule
}

func (r *taskRecord) setSchedule(schedule service.Schedule) {
	r.Every, r.Delay = string(schedule.Every), nil
	if schedule.Delay != nil {
		delay := int64(*schedule.Delay)
		r.Delay = &delay
	}
}

// tokenRecord is an analyst's token, under its name.
type tokenRecord struct {
	Scope     string `cbor:"1,keyasint"`
	Digest    []byte `cbor:"2,keyasint"` // SHA-256
	CreatedAt int64  `cbor:"3,keyasint"`
}

// collectionRecord is a collection, under its number.
type collectionRecord struct {
	Start       int64         `cbor:"1,keyasint"`
	End         int64         `cbor:"2,keyasint"`
	ByHand      bool          `cbor:"3,keyasint"`
	State       string        `cbor:"4,keyasint"`
	Reason      string        `cbor:"5,keyasint,omitempty"`
	Problem     string        `cbor:"6,keyasint,omitempty"`
	CreatedAt   int64         `cbor:"7,keyasint"`
	EndedAt     int64         `cbor:"8,keyasint"`
	Attempts    uint64        `cbor:"9,keyasint"`
	LastError   string        `cbor:"10,keyasint,omitempty"`
	NextAttempt int64         `cbor:"11,keyasint"`
	JobURL      string        `cbor:"12,keyasint,omitempty"`
	Told        bool          `cbor:"13,keyasint"`
	Result      *resultRecord `cbor:"14,keyasint,omitempty"`
}

// resultRecord is a result.
type resultRecord struct {
	Start       int64         `cbor:"1,keyasint"`
	End         int64         `cbor:"2,keyasint"`
	FirstReport int64         `cbor:"3,keyasint"`
	LastReport  int64         `cbor:"4,keyasint"`
	ReportCount uint64        `cbor:"5,keyasint"`
	CollectedAt int64         `cbor:"6,keyasint"`
	Values      []valueRecord `cbor:"7,keyasint"`
}

// valueRecord is one number of a result.
type valueRecord struct {
	Label     string   `cbor:"1,keyasint"`
	Negative  bool     `cbor:"2,keyasint"`
	Magnitude []byte   `cbor:"3,keyasint"` // big-endian
	Error     *float64 `cbor:"4,keyasint,omitempty"`
	Low       *float64 `cbor:"5,keyasint,omitempty"`
	High      *float64 `cbor:"6,keyasint,omitempty"`
}

func newCollectionRecord(c *service.Collection) collectionRecord {
	r := collectionRecord{
		Start: stamp(c.Start), End: stamp(c.End), ByHand: c.ByHand, State: string(c.State), Reason: string(c.Reason), Problem: c.Problem,
		CreatedAt: stamp(c.CreatedAt), EndedAt: stamp(c.EndedAt), Attempts: uint64(c.Attempts), LastError: c.LastError,
		NextAttempt: stamp(c.NextAttempt), JobURL: c.JobURL, Told: c.Told,
	}
	if c.Result != nil {
		r.Result = newResultRecord(c.Result)
	}
	return r
}

func newResultRecord(result *service.Result) *resultRecord {
	r := &resultRecord{
		Start: stamp(result.Start), End: stamp(result.End), FirstReport: stamp(result.FirstReport), LastReport: stamp(result.LastReport),
		ReportCount: result.ReportCount, CollectedAt: stamp(result.CollectedAt), Values: make([]valueRecord, len(result.Values)),
	}
	for i, v := range result.Values {
		r.Values[i] = valueRecord{v.Label, v.Number.Sign() < 0, v.Number.Bytes(), v.StandardError, v.Low, v.High}
	}
	return r
}

func (r *collectionRecord) collection(task dap.TaskID, number uint64) service.Collection {
	c := service.Collection{
		Task: task, Number: number, Start: unstamp(r.Start), End: unstamp(r.End), ByHand: r.ByHand, State: service.CollectionState(r.State),
		Reason: service.Reason(r.Reason), Problem: r.Problem, CreatedAt: unstamp(r.CreatedAt), EndedAt: unstamp(r.EndedAt),
		Attempts: int(r.Attempts), LastError: r.LastError, NextAttempt: unstamp(r.NextAttempt), JobURL: r.JobURL, Told: r.Told,
	}
	if r.Result != nil {
		c.Result = r.Result.result(task, number)
	}
	return c
}

func (r *resultRecord) result(task dap.TaskID, number uint64) *service.Result {
	result := &service.Result{
		Task: task, Number: number, Start: unstamp(r.Start), End: unstamp(r.End), FirstReport: unstamp(r.FirstReport), LastReport: unstamp(r.LastReport),
		ReportCount: r.ReportCount, CollectedAt: unstamp(r.CollectedAt), Values: make([]service.Value, len(r.Values)),
	}
	for i, v := range r.Values {
		n := new(big.Int).SetBytes(v.Magnitude)
		if v.Negative {
			n.Neg(n)
		}
		result.Values[i] = service.Value{Label: v.Label, Number: n, StandardError: v.Error, Low: v.Low, High: v.High}
	}
	return result
}
