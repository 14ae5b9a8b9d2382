package processes

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
)

// operatorSocket is the socket's name in an aggregator's directory.
const operatorSocket = "operator.sock"

// Status asks the running server for its status, as `status --json` does.
func (s *Server) Status(ctx context.Context) (api.OperatorStatus, error) {
	operator := api.NewOperatorClient(filepath.Join(s.Dir, operatorSocket))
	defer operator.Close()
	return operator.Status(ctx)
}

// Counts asks the running server for a task's numbers of reports.
func (s *Server) Counts(ctx context.Context, task dap.TaskID) (api.OperatorCounts, error) {
	status, err := s.Status(ctx)
	if err != nil {
		return api.OperatorCounts{}, err
	}
	for _, t := range status.Tasks {
		if t.ID == task {
			return t.Counts, nil
		}
	}
	return api.OperatorCounts{}, fmt.Errorf("the %s has no task %s", s.Role, task)
}

// Profile takes a profile of the running server for go tool pprof, see api.OperatorClient.Profile.
func (s *Server) Profile(ctx context.Context, name string, seconds int, w io.Writer) error {
	operator := api.NewOperatorClient(filepath.Join(s.Dir, operatorSocket))
	defer operator.Close()
	return operator.Profile(ctx, name, seconds, w)
}

// Metric asks the running server for a metric by its name with its labels, as it stands
// in the text that it shows: `requests_total{route="/x"}`. One that is not shown is 0.
func (s *Server) Metric(ctx context.Context, name string) (float64, error) {
	operator := api.NewOperatorClient(filepath.Join(s.Dir, operatorSocket))
	defer operator.Close()
	text, err := operator.Metrics(ctx)
	if err != nil {
		return 0, err
	}
	return metric(text, name)
}

func metric(text []byte, name string) (float64, error) {
	for line := range strings.Lines(string(text)) {
		value, found := strings.CutPrefix(line, name+" ")
		if !found {
			continue
		}
		number, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		return number, nil
	}
	return 0, nil
}
