package aggregatorcmd

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/cli"
)

func (c *commands) jobs() *cobra.Command {
	list := c.listJobs()
	list.AddCommand(c.showJob(), c.retryJob(), c.quarantineJob())
	return list
}

func (c *commands) listJobs() *cobra.Command {
	var request api.JobsRequest
	command := c.withDir(&cobra.Command{
		Use: "jobs --dir DIR [--task TASK]", Short: "List aggregation jobs, retry one, or put one in quarantine",
		Long: `Lists the aggregation jobs that are not finished, with their age, attempts and last
error. A job is tried until it ends; one that the other side has refused, or that was
put there by hand, is in quarantine: its reports stay with it, and are counted nowhere.`,
		Example: fmt.Sprintf("  %s jobs --dir DIR", c.role),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cli.Usagef("there is no command %q", args[0])
			}
			return nil
		},
		RunE: func(command *cobra.Command, _ []string) error {
			return c.operate(command, func(service api.OperatorService) error {
				jobs, err := service.Jobs(command.Context(), request)
				if err != nil {
					return err
				}
				list := struct {
					Jobs []api.OperatorJob `json:"jobs"`
				}{jobs}
				return c.print(command, list, func() error { return printJobs(command.OutOrStdout(), jobs) })
			})
		},
	})
	command.Flags().StringVar(&request.Task, "task", "", "the ID of the only task whose jobs are listed")
	if c.role == dap.RoleHelper {
		command.Flags().BoolVar(&request.Finished, "finished", false, "also those whose answers are kept for the leader")
	}
	return command
}

func printJobs(w io.Writer, jobs []api.OperatorJob) error {
	if len(jobs) == 0 {
		_, err := fmt.Fprintln(w, "No unfinished jobs.")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "JOB\tSTATE\tAGE\tSTEP\tREPORTS\tATTEMPTS\tNEXT\tLAST ERROR")
	for i := range jobs {
		j := &jobs[i]
		next, problem := "", j.LastError
		if j.Next != nil {
			next = j.Next.Format(time.DateTime)
		}
		if j.Reason != "" {
			problem = j.Reason
		}
		age := time.Since(j.CreatedAt).Round(time.Second)
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", j.ID, j.State, age, j.Step, j.Reports, j.Attempts, next, problem)
	}
	return table.Flush()
}

// aboutJob is a command on one job.
func (c *commands) aboutJob(command *cobra.Command, f func(*cobra.Command, api.OperatorService, api.JobRequest) error) *cobra.Command {
	command.Args = cli.OneArgument("the ID of an aggregation job")
	command.RunE = func(command *cobra.Command, args []string) error {
		return c.operate(command, func(service api.OperatorService) error { return f(command, service, api.JobRequest{ID: args[0]}) })
	}
	return c.withDir(command)
}

func (c *commands) showJob() *cobra.Command {
	return c.aboutJob(&cobra.Command{
		Use: "show --dir DIR JOB", Short: "Describe a job",
		Long:    "Describes one aggregation job, with the batches of its reports.",
		Example: fmt.Sprintf("  %s jobs show --dir DIR JOB", c.role),
	}, func(command *cobra.Command, service api.OperatorService, request api.JobRequest) error {
		job, err := service.Job(command.Context(), request)
		if err != nil {
			return err
		}
		return c.print(command, job, func() error { return c.printJob(command.OutOrStdout(), &job) })
	})
}

func (c *commands) retryJob() *cobra.Command {
	return c.aboutJob(&cobra.Command{
		Use: "retry --dir DIR JOB", Short: "Try a job now, and end its quarantine",
		Long: `Lets an aggregation job be tried now. A job in quarantine is active again; if all
batches of its reports are collected by now, they are rejected instead.`,
		Example: fmt.Sprintf("  %s jobs retry --dir DIR JOB", c.role),
	}, func(command *cobra.Command, service api.OperatorService, request api.JobRequest) error {
		job, err := service.RetryJob(command.Context(), request)
		if err != nil {
			return err
		}
		return c.print(command, job, func() error { return c.printJob(command.OutOrStdout(), &job) })
	})
}

func (c *commands) quarantineJob() *cobra.Command {
	yes := false
	command := c.aboutJob(&cobra.Command{
		Use: "quarantine --dir DIR JOB [--yes]", Short: "Put a job in quarantine",
		Long: `Puts an aggregation job in quarantine: it is not tried any more, and its batches
are collected without its reports. "jobs retry" undoes it. Without --yes it only
says what would be lost, and its exit status is 2.`,
		Example: fmt.Sprintf("  %s jobs quarantine --dir DIR JOB", c.role),
	}, func(command *cobra.Command, service api.OperatorService, request api.JobRequest) error {
		if !yes {
			return c.warnOfQuarantine(command, service, request)
		}
		job, err := service.QuarantineJob(command.Context(), request)
		if err != nil {
			return err
		}
		return c.print(command, job, func() error { return c.printJob(command.OutOrStdout(), &job) })
	})
	command.Flags().BoolVar(&yes, "yes", false, "do it, having seen what would be lost")
	return command
}

// warnOfQuarantine says what a quarantine would lose, and fails.
func (c *commands) warnOfQuarantine(command *cobra.Command, service api.OperatorService, request api.JobRequest) error {
	job, err := service.Job(command.Context(), request)
	if err != nil {
		return err
	}
	if err := c.print(command, job, func() error { return c.printJob(command.OutOrStdout(), &job) }); err != nil {
		return err
	}
	if c.role == dap.RoleHelper {
		return cli.Usagef("nothing is done: %d reports that are being verified would not be counted, and %d are counted; a job that has counted any cannot be put in quarantine; repeat with --yes to do it", job.Reports, job.Counted)
	}
	counted := "the helper has not counted them"
	if job.MayBeCounted {
		counted = "the helper may have counted them, and the batch then cannot be collected without them"
	}
	return cli.Usagef("nothing is done: %d reports would be left out of their batches; %s; repeat with --yes to do it", job.Reports, counted)
}

func (c *commands) printJob(w io.Writer, j *api.OperatorJob) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(table, name+"\t"+format+"\n", args...) }
	line("job", "%s", j.ID)
	line("task", "%s", j.Task)
	line("state", "%s", c.jobState(j))
	line("since", "%s", j.CreatedAt.Format(time.DateTime))
	line("step", "%d", j.Step)
	line("reports", "%d", j.Reports)
	line("attempts", "%d", j.Attempts)
	if j.LastError != "" {
		line("last error", "%s", j.LastError)
	}
	if j.Next != nil {
		line("next attempt", "%s", j.Next.Format(time.DateTime))
	}
	if j.Reason != "" {
		line("in quarantine", "%s", j.Reason)
	}
	if c.role == dap.RoleLeader {
		line("may be counted by the helper", "%t", j.MayBeCounted)
	} else {
		line("counted", "%d", j.Counted)
	}
	for _, b := range j.Buckets {
		name := b.Batch
		if b.Start != nil {
			name = "from " + b.Start.Format(time.DateTime)
		}
		line("batch", "%s: %d reports", name, b.Reports)
	}
	return table.Flush()
}

// jobState is a job's state, with what it means if there is no such job any more.
func (c *commands) jobState(j *api.OperatorJob) string {
	switch {
	case j.State != "gone":
		return j.State
	case c.role == dap.RoleHelper:
		return "gone: nothing of it was counted, and it is done anew when the leader asks for it again"
	default:
		return "gone: all batches of its reports are collected, so they are rejected"
	}
}
