package page

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/dap"
)

const (
	// maxResults is how many results a chart over time shows at most, and maxListed how many collections and results
	// the page of a task lists. The download has all.
	maxResults = 500
	maxListed  = 50
)

// taskView is the page of a task.
type taskView struct {
	service.Task
	Status   status
	Latest   *resultView // nil if there is none
	OverTime picture
	Shown    int         // how many results it shows
	Listed   []resultRow // the newest first
	Progress *service.Progress
	Buckets  []bucketRow
	// Rejected are the reasons with at least a step of reports, Seldom the others.
	Rejected, Seldom []rejectedRow
	Failed           []service.Collection // the newest first
	// LeaderProblem tells that the Leader did not answer.
	LeaderProblem string
	// OfCollect and OfSchedule are what a form that was sent says, with what is wrong with it.
	OfCollect, OfSchedule, OfToken form
}

func (v taskView) title() string { return v.Name }

// bucketRow is a time bucket that fills.
type bucketRow struct {
	service.BucketProgress
	Enough bool
	Over   bool // its time
}

// rejectedRow is how many reports were rejected for a reason.
type rejectedRow struct {
	Reason string
	Count  service.Coarse
}

// taskPath is where a task's page is.
func taskPath(id dap.TaskID) string { return "/tasks/" + id.String() }

// task returns the task of a request's path.
func (s *server) task(r *request) (service.Task, error) {
	id, err := dap.ParseTaskID(r.PathValue("id"))
	if err != nil {
		return service.Task{}, service.ErrNotFound
	}
	return s.analyst.Task(r.Context(), id)
}

func (s *server) showTask(r *request) error {
	task, err := s.task(r)
	if err != nil {
		return err
	}
	return s.writeTask(r, http.StatusOK, taskView{Task: task})
}

// writeTask completes the view of a task and shows it.
func (s *server) writeTask(r *request, code int, view taskView) error {
	if err := s.addResults(r, &view); err != nil {
		return err
	}
	if err := s.addProgress(r, &view); err != nil {
		return err
	}
	view.Status = statusOf(view.Task)
	if view.OfSchedule.Values == nil {
		view.OfSchedule = scheduleForm(view.Task.Schedule)
	}
	return s.show(r, code, "task", view)
}

// addResults adds the newest results and what failed.
func (s *server) addResults(r *request, view *taskView) error {
	results, err := s.analyst.Results(r.Context(), view.ID, service.Filter{Limit: maxResults})
	if err != nil {
		return err
	}
	view.Shown = len(results)
	view.OverTime = pictureOf(taskPath(view.ID)+"/over-time.svg", "Chart of "+plural(len(results), "result")+" over time. The table has them.", chartResults(view.Task, results).OverTime())
	for _, result := range slices.Backward(results[max(0, len(results)-maxListed):]) {
		view.Listed = append(view.Listed, rowOf(view.Task, result))
	}
	if len(results) > 0 {
		latest := viewOf(view.Task, results[len(results)-1])
		view.Latest = &latest
	}
	collections, err := s.analyst.Collections(r.Context(), view.ID, service.Filter{Limit: maxListed})
	if err != nil {
		return err
	}
	for _, c := range collections {
		if c.State == service.CollectionFailed {
			view.Failed = append(view.Failed, c)
		}
	}
	return nil
}

// addProgress adds what the Leader tells now, or what it has told before.
func (s *server) addProgress(r *request, view *taskView) error {
	view.Progress = view.Task.Progress
	if view.HasToken {
		progress, err := s.analyst.Progress(r.Context(), view.ID)
		leader, isLeader := errors.AsType[*service.LeaderError](err)
		switch {
		case err == nil:
			view.Progress, view.Task.Progress = &progress, &progress
		case isLeader:
			view.LeaderProblem = sentence(leader.Problem)
		case !errors.Is(err, service.ErrNoToken):
			return err
		}
	}
	if view.Progress == nil {
		return nil
	}
	for _, bucket := range view.Progress.Buckets {
		view.Buckets = append(view.Buckets, bucketRow{bucket, bucket.Aggregated.Enough(), !bucket.End.After(s.options.Now())})
	}
	for _, reason := range slices.Sorted(maps.Keys(view.Progress.Rejected)) {
		row := rejectedRow{reason, view.Progress.Rejected[reason]}
		if row.Count.AtLeast > 0 {
			view.Rejected = append(view.Rejected, row)
		} else {
			view.Seldom = append(view.Seldom, row)
		}
	}
	return nil
}

// collection returns a collection that has a result, of a request's path.
func (s *server) collection(r *request) (service.Task, service.Collection, error) {
	task, err := s.task(r)
	if err != nil {
		return task, service.Collection{}, err
	}
	number, err := strconv.ParseUint(r.PathValue("number"), 10, 64)
	if err != nil {
		return task, service.Collection{}, service.ErrNotFound
	}
	collection, err := s.analyst.Collection(r.Context(), task.ID, number)
	if err == nil && collection.Result == nil {
		err = service.ErrNotFound
	}
	return task, collection, err
}
