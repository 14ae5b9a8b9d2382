package page

import (
	"net/http"

	"github.com/twofold-dap/twofold/collector/service"
)

// setToken keeps the Leader's token for a task.
func (s *server) setToken(r *request) error {
	task, err := s.task(r)
	if err != nil {
		return err
	}
	f := form{Values: r.PostForm}
	token := f.text("token")
	if token == "" {
		f.wrong("token", "paste the token, the last line that leader task add has printed")
	} else if err = s.analyst.SetToken(r.Context(), task.ID, token); err == nil {
		return r.see(taskPath(task.ID), "The token was stored. The task can be collected.")
	} else if !f.refused(err) {
		return err
	}
	for i := range f.Problems {
		f.Problems[i].Field = "token"
	}
	f.Values = nil // the token is not shown again
	return s.writeTask(r, http.StatusUnprocessableEntity, taskView{Task: task, OfToken: f})
}

// setSchedule changes when a task is collected.
func (s *server) setSchedule(r *request) error {
	task, err := s.task(r)
	if err != nil {
		return err
	}
	f := form{Values: r.PostForm}
	schedule := f.schedule()
	if len(f.Problems) == 0 {
		if err = s.analyst.SetSchedule(r.Context(), task.ID, schedule); err == nil {
			return r.see(taskPath(task.ID), "The schedule was changed.")
		}
		if !f.refused(err) {
			return err
		}
	}
	return s.writeTask(r, http.StatusUnprocessableEntity, taskView{Task: task, OfSchedule: f})
}

// collect asks for a batch: the next, or the interval that is filled in.
func (s *server) collect(r *request) error {
	task, err := s.task(r)
	if err != nil {
		return err
	}
	f := form{Values: r.PostForm}
	var wanted service.CollectRequest
	if f.Is("which", "interval") {
		wanted.Start, wanted.End = f.time("start"), f.time("end")
		if wanted.Start.IsZero() && f.Problem("start") == "" {
			f.wrong("start", "give a time in UTC")
		}
		if wanted.End.IsZero() && f.Problem("end") == "" {
			f.wrong("end", "give a time in UTC")
		}
	}
	if len(f.Problems) == 0 {
		_, err := s.analyst.Collect(r.Context(), task.ID, wanted)
		if err == nil {
			return r.see(taskPath(task.ID), "The batch was asked for. Its result appears here when both servers have it ready.")
		}
		if answer := explain(err); answer.status == http.StatusConflict {
			f.wrong("which", answer.problem)
		} else if !f.refused(err) {
			return err
		}
	}
	return s.writeTask(r, http.StatusUnprocessableEntity, taskView{Task: task, OfCollect: f})
}
