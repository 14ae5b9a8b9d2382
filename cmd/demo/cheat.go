package main

import (
	"context"
	"fmt"
	"math/bits"
	"time"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/field"
	"github.com/twofold-dap/twofold/internal/vdafspec"
	"github.com/twofold-dap/twofold/vdaf"
)

// cheats is how many reports each cheating client wants to have counted.
const cheats = 3

// cheat is a client that does not play by the rules. It is built with the same
// library as an honest one: its reports are well formed, encrypted to the
// aggregators' keys, and uploaded like all others. But what they claim is not a
// measurement, or was counted before.
type cheat struct {
	what   string
	reason dap.ReportError // why its reports must be rejected
	// atUpload tells that the Leader alone notices, and not both aggregators
	// together when they verify the proof.
	atUpload bool
	// honest is the number of flights, the first ones, that it reports honestly.
	honest int
	send   func(context.Context, stage) ([]client.Outcome, error)
}

// stage is what a cheating client knows.
type stage struct {
	task    client.Task
	flights []flight
	// settled waits until nothing that was uploaded to the task still waits.
	settled func(context.Context) error
}

var replay = cheat{
	what: "a report that is counted already, once more", reason: dap.ReportErrorReportReplayed, atUpload: true,
	honest: 1, send: sendReplays,
}

// sendReplays uploads an honest report; then the same report again, at once and
// after it was aggregated.
func sendReplays(ctx context.Context, s stage) ([]client.Outcome, error) {
	c, err := client.New[bool](s.task, client.Options{})
	if err != nil {
		return nil, err
	}
	report, err := c.Prepare(ctx, isLate(s.flights[0]) == 1, time.Now())
	if err != nil {
		return nil, err
	}
	first, err := c.UploadReports(ctx, report)
	if err != nil {
		return nil, err
	}
	if first[0].Status != client.StatusUploaded {
		return nil, fmt.Errorf("an honest report was rejected: %s", first[0].Reason)
	}
	var outcomes []client.Outcome
	for i := range cheats {
		if i == 1 {
			if err := s.settled(ctx); err != nil {
				return nil, err
			}
		}
		outcome, err := c.UploadReports(ctx, report)
		if err != nil {
			return nil, err
		}
		outcomes = append(outcomes, outcome...)
	}
	return outcomes, nil
}

var outOfRange = cheat{
	what: "a distance of a million miles", reason: dap.ReportErrorVdafVerifyError,
	send: func(ctx context.Context, s stage) ([]client.Outcome, error) {
		instance, err := instanceOf[*vdaf.Prio3Sum](s.task)
		if err != nil {
			return nil, err
		}
		meas := make([]field.Elem64, bits.Len(maxDistance))
		meas[0] = field.Field64.FromUint64(1_000_000) // the lowest bit, which should be 0 or 1
		return sendAll(ctx, s.task, encoded[field.Elem64]{instance.Prio3}, meas)
	},
}

var twoBuckets = cheat{
	what: "a flight in two buckets at once", reason: dap.ReportErrorVdafVerifyError,
	send: func(ctx context.Context, s stage) ([]client.Outcome, error) {
		instance, err := instanceOf[*vdaf.Prio3Histogram](s.task)
		if err != nil {
			return nil, err
		}
		meas := make([]field.Elem128, len(delayEdges)+1)
		meas[0], meas[len(delayEdges)] = field.Field128.FromUint64(1), field.Field128.FromUint64(1)
		return sendAll(ctx, s.task, encoded[field.Elem128]{instance.Prio3}, meas)
	},
}

var everyFlag = cheat{
	what: "a flight of every kind at once", reason: dap.ReportErrorVdafVerifyError,
	send: func(ctx context.Context, s stage) ([]client.Outcome, error) {
		instance, err := instanceOf[*vdaf.Prio3MultihotCountVec](s.task)
		if err != nil {
			return nil, err
		}
		// All flags, and the largest weight that can be claimed, which is one less.
		meas := make([]field.Elem128, 5+bits.Len(maxFlags))
		for i := range meas {
			meas[i] = field.Field128.FromUint64(1)
		}
		return sendAll(ctx, s.task, encoded[field.Elem128]{instance.Prio3}, meas)
	},
}

var tamperedShare = cheat{
	what: "an honest report with an altered share", reason: dap.ReportErrorVdafVerifyError,
	send: func(ctx context.Context, s stage) ([]client.Outcome, error) {
		instance, err := instanceOf[*vdaf.Prio3SumVec](s.task)
		if err != nil {
			return nil, err
		}
		return sendAll(ctx, s.task, tampering{instance}, totals{[]uint64{1, 2, 3}})
	},
}

// encoded is a VDAF that shards field elements as they are, whether they encode
// a measurement or not.
type encoded[E field.Elem] struct{ *vdaf.Prio3[E] }

func (v encoded[E]) Shard(ctx []byte, meas []E, nonce, rand []byte) ([]byte, [][]byte, error) {
	return v.ShardEncoded(ctx, meas, nonce, rand)
}

// totals is a measurement of the task of that name, as a type of its own so
// that no client checks it.
type totals struct{ numbers []uint64 }

// tampering is a VDAF that shards honestly, and then adds one to the first
// number of the Leader's share.
type tampering struct{ *vdaf.Prio3SumVec }

func (v tampering) Shard(ctx []byte, measurement totals, nonce, rand []byte) ([]byte, [][]byte, error) {
	publicShare, inputShares, err := v.Prio3SumVec.Shard(ctx, measurement.numbers, nonce, rand)
	if err != nil {
		return nil, nil, err
	}
	f := field.Field128
	first := make([]field.Elem128, 1)
	share := inputShares[0]
	if err := f.DecodeVec(first, share[:f.EncodedSize()]); err != nil {
		return nil, nil, err
	}
	first[0] = f.Add(first[0], f.FromUint64(1))
	copy(share, f.EncodeVec(nil, first))
	return publicShare, inputShares, nil
}

// instanceOf makes the VDAF of a task, which is of type V.
func instanceOf[V vdaf.Verifier](task client.Task) (v V, err error) {
	spec, err := vdafspec.FromConfiguration(task.Configuration)
	if err != nil {
		return v, err
	}
	instance, err := vdafspec.NewVDAF(spec.Config)
	if err != nil {
		return v, err
	}
	v, ok := instance.(V)
	if !ok {
		return v, fmt.Errorf("the task's VDAF is a %T, and not a %T", instance, v)
	}
	return v, nil
}

// sendAll uploads the same measurement, or what is none, in as many reports as a
// cheating client sends.
func sendAll[M any](ctx context.Context, task client.Task, sharder client.Sharder[M], m M) ([]client.Outcome, error) {
	c, err := client.NewWithVDAF(task, sharder, client.Options{})
	if err != nil {
		return nil, err
	}
	measurements := make([]client.Measurement[M], cheats)
	for i := range measurements {
		measurements[i] = client.Measurement[M]{Value: m, Time: time.Now()}
	}
	return c.Upload(ctx, measurements...)
}
