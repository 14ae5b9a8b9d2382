package collector

import (
	"errors"
	"fmt"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/dapclient"
)

// ShareError says that an aggregator's aggregate share cannot be used.
type ShareError struct {
	Role dap.Role
	Err  error
}

func (e *ShareError) Error() string {
	if errors.Is(e.Err, dap.ErrHpkeUnknownConfigID) || errors.Is(e.Err, dap.ErrHpkeDecrypt) {
		return fmt.Sprintf("the %s's aggregate share does not open with this Collector's key: %v", e.Role, e.Err)
	}
	return fmt.Sprintf("the %s's aggregate share: %v", e.Role, e.Err)
}

// Unwrap returns Err.
func (e *ShareError) Unwrap() error { return e.Err }

// hpkeOverhead is more than any HPKE ciphertext is longer than its plaintext,
// with its encapsulated key.
const hpkeOverhead = 4 << 10

// maxAnswer bounds an encoded CollectionJobResp.
func (c *Collector[R]) maxAnswer() int64 {
	return 2 * int64(len(c.vdaf.AggInit(c.options.AggParam))+hpkeOverhead)
}

// state reads an answer about a job: empty until it is ready.
func (c *Collector[R]) state(job Job, response dapclient.Response) (State[R], error) {
	if len(response.Body) == 0 {
		return State[R]{RetryAfter: response.RetryAfter}, nil
	}
	if err := response.CheckMediaType(dap.MediaTypeCollectionJobResp); err != nil {
		return State[R]{}, err
	}
	decoded, err := dap.DecodeCollectionJobResp(response.Body)
	if err != nil {
		return State[R]{}, &AnswerError{Server: response.URL.Host, Problem: err.Error()}
	}
	if problem := c.intervalProblem(job, decoded.Interval); problem != "" {
		return State[R]{}, &AnswerError{Server: response.URL.Host, Problem: problem}
	}
	result, err := c.finalize(job, decoded)
	if err != nil {
		return State[R]{}, err
	}
	return State[R]{Result: &result}, nil
}

// intervalProblem checks that the reports' times lie within the query.
func (c *Collector[R]) intervalProblem(job Job, interval dap.Interval) string {
	if err := interval.CheckWellFormed(); err != nil {
		return err.Error()
	}
	if job.Request.Query.BatchMode != dap.BatchModeTimeInterval {
		return ""
	}
	queried, err := job.Request.Query.BatchInterval()
	if err != nil {
		return err.Error()
	}
	if !queried.ContainsInterval(interval) {
		return fmt.Sprintf("the reports' times, %s, are not all within the query, %s", interval, queried)
	}
	return ""
}

// finalize decrypts the aggregate shares and unshards them (DAP Section 4.6.6).
func (c *Collector[R]) finalize(job Job, response dap.CollectionJobResp) (Result[R], error) {
	aad := dap.AggregateShareAad{TaskID: c.task.ID, TaskConfiguration: c.encoded, CollectionJobReq: job.Request}
	leader, err := dap.OpenAggregateShare(c.keypair, dap.RoleLeader, aad, response.LeaderEncryptedAggShare)
	if err != nil {
		return Result[R]{}, &ShareError{dap.RoleLeader, err}
	}
	helper, err := dap.OpenAggregateShare(c.keypair, dap.RoleHelper, aad, response.HelperEncryptedAggShare)
	if err != nil {
		return Result[R]{}, &ShareError{dap.RoleHelper, err}
	}
	value, noise, err := c.unshard(leader, helper, response.ReportCount)
	if err != nil {
		return Result[R]{}, err
	}
	end, err := response.Interval.End()
	if err != nil {
		return Result[R]{}, err
	}
	precision := c.task.Configuration.TimePrecision
	return Result[R]{
		ReportCount: response.ReportCount, Start: response.Interval.Start.At(precision), End: end.At(precision),
		Value: value, Noise: noise, Job: job,
	}, nil
}

// unshard adds up the aggregate shares. In a task with differential privacy the numbers may be negative.
func (c *Collector[R]) unshard(leader, helper []byte, reports uint64) (value R, noise *Noise, err error) {
	if c.mechanism == nil {
		value, err = c.vdaf.Unshard(c.options.AggParam, [][]byte{leader, helper}, reports)
		return value, nil, err
	}
	if noise, err = newNoise(c.mechanism, leader, helper); err != nil {
		return value, nil, err
	}
	noise.clampInto(&value)
	return value, noise, nil
}

func asHTTPError(err error) (*HTTPError, bool) { return errors.AsType[*HTTPError](err) }
