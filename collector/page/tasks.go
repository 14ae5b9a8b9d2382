package page

import (
	"io"
	"net/http"

	"github.com/twofold-dap/twofold/collector/service"
)

// tasksView is the list of tasks, the newest first.
type tasksView struct {
	Tasks   []taskRow
	Problem string // with a task file
}

func (tasksView) title() string { return "Tasks" }

// taskRow is a task in the list.
type taskRow struct {
	service.Task
	Status status
	// Headline is the latest result in a few words; empty if there is none.
	Headline string
}

// showTasks shows all tasks.
func (s *server) showTasks(r *request) error { return s.writeTasks(r, http.StatusOK, "") }

func (s *server) writeTasks(r *request, code int, problem string) error {
	tasks, err := s.analyst.Tasks(r.Context())
	if err != nil {
		return err
	}
	view := tasksView{Problem: problem, Tasks: make([]taskRow, 0, len(tasks))}
	for i := len(tasks) - 1; i >= 0; i-- {
		view.Tasks = append(view.Tasks, taskRow{tasks[i], statusOf(tasks[i]), headline(tasks[i], tasks[i].Latest)})
	}
	return s.show(r, code, "tasks", view)
}

// addTask keeps a task of a file that was made elsewhere.
func (s *server) addTask(r *request) error {
	file, _, err := r.FormFile("file")
	if err != nil {
		return s.writeTasks(r, http.StatusUnprocessableEntity, "Choose a task file.")
	}
	defer file.Close()
	content, err := io.ReadAll(file) // bounded by maxFile
	if err != nil {
		return &statusError{http.StatusBadRequest, "The file could not be read."}
	}
	task, err := s.analyst.AddTask(r.Context(), content)
	if err != nil {
		if answer := explain(err); answer.status == http.StatusUnprocessableEntity {
			return s.writeTasks(r, answer.status, answer.problem)
		}
		return err
	}
	return r.see(taskPath(task.ID), "The task "+task.Name+" was added.")
}
