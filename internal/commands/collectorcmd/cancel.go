package collectorcmd

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/commands/explain"
)

func (c *commands) cancel() *cobra.Command {
	var f collectFlags
	command := &cobra.Command{
		Use:   "cancel --dir DIR --task FILE --token TOKEN (--interval START/END | --last DURATION | --next)",
		Short: "Give up a collection that is not ready",
		Long: `Tells the leader that nobody waits for a batch any more: the one that collect with
the same flags has asked for. Only what is not ready can be given up, since a
result that is deleted is lost. --last means another time each hour or day:
--interval, as collect shows it, does not.`,
		Example: "  collector cancel --dir C --task delays.task --token-file token --interval 2026-01-31T00:00:00Z/2026-02-01T00:00:00Z",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return c.runCancel(command, &f)
		},
	}
	f.add(command)
	return c.withDir(command)
}

func (c *commands) runCancel(command *cobra.Command, f *collectFlags) error {
	run, err := c.prepare(command, f)
	if err != nil {
		return err
	}
	run.doing = "Giving up"
	switch run.file.Spec.Config.(type) {
	case dap.Prio3CountConfig, dap.Prio3SumConfig:
		err = cancel[uint64](run)
	default:
		err = cancel[[]uint64](run)
	}
	if err != nil {
		return err
	}
	return c.print(command, struct {
		Cancelled bool `json:"cancelled"`
	}{true}, func() error {
		_, err := fmt.Fprintln(command.OutOrStdout(), "The leader does not wait for this batch any more.")
		return err
	})
}

// cancel deletes the collection job of a run, unless it is ready.
func cancel[R uint64 | []uint64](run *collection) error {
	collector, err := newCollector[R](run, nil)
	if err != nil {
		return err
	}
	query, err := run.query(time.Now())
	if err != nil {
		return err
	}
	// The same query names the same job; one that was not there is made and deleted again.
	job, ready, err := collector.Find(run.command.Context(), query)
	if err != nil {
		return explain.Error(err)
	}
	if ready {
		return errors.New("the result is ready; collect it: if it were given up now, it would be lost")
	}
	if err := collector.Delete(run.command.Context(), job); err != nil {
		return explain.Error(err)
	}
	return nil
}
