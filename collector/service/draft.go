package service

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/taskfile"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

// Plan implements Analyst.
func (s *Service) Plan(_ context.Context, draft Draft) (Plan, error) {
	file, schedule, err := s.make(draft)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{Task: describe(&file), ReportBytes: reportBytes(&file), Warnings: warnings(&file)}
	plan.Task.ID, plan.Task.Schedule = dap.TaskID{}, schedule
	plan.Task.Next = Next{Waiting: WaitingForToken}
	if plan.Task.Privacy, err = privacyOf(file.Config, 0); err != nil || plan.Task.Privacy == nil {
		return plan, err
	}
	mechanism, err := taskprivacy.Mechanism(file.Config)
	if err != nil {
		return Plan{}, &FieldError{"privacy", err.Error()}
	}
	uncertainty := mechanism.Uncertainty()
	half := float(uncertainty.Margin95)
	plan.StandardError, plan.HalfWidth95 = &uncertainty.StandardError, &half
	plan.Batches = plan.Task.Privacy.BatchesLeft
	return plan, nil
}

// CreateTask implements Analyst.
func (s *Service) CreateTask(ctx context.Context, draft Draft) (Task, error) {
	file, schedule, err := s.make(draft)
	if err != nil {
		return Task{}, err
	}
	text, err := file.Encode()
	if err != nil {
		return Task{}, err
	}
	return s.keep(ctx, text, schedule)
}

// make makes a task of a draft. Its error is a *FieldError.
func (s *Service) make(d Draft) (taskfile.File, Schedule, error) {
	schedule, err := checkSchedule(d.Schedule)
	if err != nil {
		return taskfile.File{}, schedule, err
	}
	draft := taskfile.Draft{
		Name: d.Name, Leader: d.Leader, Helper: d.Helper, Labels: d.Labels, TimePrecision: d.TimePrecision, MinBatchSize: d.MinBatchSize,
		BatchMode: dap.BatchModeTimeInterval, Start: d.Start, Duration: d.Duration, CollectorHpkeConfig: s.options.HpkeConfig,
	}
	if d.LeaderSelected {
		draft.BatchMode = dap.BatchModeLeaderSelected
	}
	if d.MinBatchSize == 0 || d.MinBatchSize > math.MaxInt64 {
		return taskfile.File{}, schedule, &FieldError{"min_batch_size", "must be 1 or more; below about 100 a result may tell on people"}
	}
	if draft.Spec, err = vdafspec.Parse(d.VDAF); err != nil {
		return taskfile.File{}, schedule, &FieldError{"vdaf", err.Error()}
	}
	if err := addPrivacy(&draft, d.Privacy); err != nil {
		return taskfile.File{}, schedule, err
	}
	file, err := taskfile.New(draft)
	if field, ok := errors.AsType[*taskfile.FieldError](err); ok {
		return file, schedule, &FieldError{strings.Replace(field.Field, "differential_privacy", "privacy", 1), field.Problem}
	}
	if err != nil {
		return file, schedule, &FieldError{"task", err.Error()}
	}
	return file, schedule, nil
}

// warnings are what the author of a task should think about.
func warnings(file *taskfile.File) []string {
	var all []string
	if n := file.Config.MinBatchSize; n < 100 {
		all = append(all, fmt.Sprintf("A result about %d reports may tell on people; 100 or more are better.", n))
	}
	if _, private, _ := file.Config.Privacy(); !private {
		all = append(all, "Results are exact: who knows all but one of the measurements of a batch can compute that one.")
	}
	return all
}

// reportBytes is how long an encoded report of the task is, with one key of X25519: the public share, two input shares, and
// what DAP puts around them (DAP Sections 4.4.2 and 4.4.2.2).
func reportBytes(file *taskfile.File) int {
	instance, err := vdafspec.NewVDAF(file.Spec.Config)
	sized, ok := instance.(interface {
		PublicShareSize() int
		InputShareSize(aggID int) int
	})
	if err != nil || !ok { // vdafspec.Parse has made it before
		return 0
	}
	const (
		metadata   = 16 + 8 + 2 // report ID, time, length of the extensions
		length     = 4          // of a vector
		plaintext  = 2 + length // length of the private extensions, and of the payload
		ciphertext = 1 + 2 + 32 + length + 16
	)
	size := metadata + length + sized.PublicShareSize()
	for aggregator := range 2 {
		size += ciphertext + plaintext + sized.InputShareSize(aggregator)
	}
	return size
}
