package collectorcmd

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/collector/wire"
	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/collectordir"
	"github.com/twofold-dap/twofold/internal/privatefile"
	"github.com/twofold-dap/twofold/internal/taskfile"
	"github.com/twofold-dap/twofold/internal/timespan"
)

func (c *commands) tasks() *cobra.Command {
	return c.withDir(&cobra.Command{
		Use: "tasks --dir DIR", Short: "List the tasks that the directory keeps",
		Long:    "Lists the tasks that the directory keeps, with their schedules and what they\nwait for.",
		Example: "  collector tasks --dir C", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return c.withClient(command, func(client *collectordir.Client) error {
				var all wire.Tasks
				if err := client.Get(command.Context(), "/api/v1/tasks", &all); err != nil {
					return err
				}
				return c.print(command, all, func() error { return printTasks(command.OutOrStdout(), all.Tasks) })
			})
		},
	})
}

func printTasks(w io.Writer, tasks []wire.Task) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tID\tSCHEDULE\tRESULTS\tNEWEST\tWAITS FOR")
	for i := range tasks {
		t := &tasks[i]
		newest := "-"
		if t.Latest != nil {
			newest = fmt.Sprintf("%d reports until %s", t.Latest.ReportCount, t.Latest.End.Format(time.RFC3339))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", t.Name, t.ID, t.Schedule.Every, t.Results, newest, waitingFor(t))
	}
	return table.Flush()
}

// waitingFor says what the next batch waits for.
func waitingFor(t *wire.Task) string {
	text := map[string]string{
		"reports": "more reports", "time": "its time to be over", "analyst": "you to collect", "token": "the leader's token",
		"leader": "the leader", "nothing": "nothing: it is over",
	}[t.Next.Waiting]
	if t.Next.At != nil {
		text += ", at the earliest " + t.Next.At.Format(time.RFC3339)
	}
	return text
}

func (c *commands) status() *cobra.Command {
	return c.withDir(&cobra.Command{
		Use: "status --dir DIR TASK", Short: "Show where a task stands",
		Long: `Shows where a task stands: what the leader counts, what is under way, the newest
results, and what of the privacy budget is spent. TASK is its ID or its name.

The leader tells numbers in steps of the minimum batch size, so that they tell
nothing about a person.`,
		Example: "  collector status --dir C delays", Args: cli.OneArgument("the task's ID or name"),
		RunE: func(command *cobra.Command, args []string) error {
			return c.withClient(command, func(client *collectordir.Client) error {
				task, err := client.FindTask(command.Context(), args[0])
				if err != nil {
					return err
				}
				problem := "" // why the leader could not be asked
				if task.HasToken {
					var progress wire.Progress
					if err := client.Get(command.Context(), "/api/v1/tasks/"+task.ID+"/progress", &progress); err != nil {
						problem = err.Error()
					} else {
						task.Progress = &progress
					}
				}
				var results wire.Results
				if err := client.Get(command.Context(), "/api/v1/tasks/"+task.ID+"/results?limit=5", &results); err != nil {
					return err
				}
				return c.print(command, task, func() error { return printStatus(command.OutOrStdout(), &task, results.Results, problem) })
			})
		},
	})
}

func printStatus(w io.Writer, t *wire.Task, results []wire.Result, problem string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "name\t%s\nid\t%s\nvdaf\t%s\nminimum batch size\t%d\nschedule\t%s\nwaits for\t%s\n", t.Name, t.ID, t.VDAF, t.MinBatchSize, t.Schedule.Every, waitingFor(t))
	if t.Problem != "" {
		fmt.Fprintf(table, "problem\t%s\n", cli.OneLine(t.Problem))
	}
	if problem != "" && problem != t.Problem {
		fmt.Fprintf(table, "problem\t%s\n", cli.OneLine(problem))
	}
	if p := t.Progress; p != nil && p.Supported {
		fmt.Fprintf(table, "reports waiting\t%s\nreports verified\t%s\nof them collected\t%s\n", p.Waiting, p.Aggregated, p.Collected)
		var reasons []string
		for reason, n := range p.Rejected {
			if n.AtLeast > 0 {
				reasons = append(reasons, reason)
			}
		}
		slices.Sort(reasons)
		for _, reason := range reasons {
			fmt.Fprintf(table, "rejected, %s\t%s\n", reason, p.Rejected[reason])
		}
		if p.NextStart != nil {
			fmt.Fprintf(table, "ready\t%s to %s\n", p.NextStart.Format(time.RFC3339), p.NextEnd.Format(time.RFC3339))
		}
		if p.ReadyBatches > 0 {
			fmt.Fprintf(table, "batches ready\t%d\n", p.ReadyBatches)
		}
	}
	if p := t.Privacy; p != nil {
		fmt.Fprintf(table, "privacy spent\t%s = %.4g of %.4g, by %d batches\n", p.Symbol, p.Spent, p.Budget, p.Batches)
	}
	for i := range t.Active {
		a := &t.Active[i]
		fmt.Fprintf(table, "collection %d\t%s %s\n", a.Number, a.State, cli.OneLine(a.LastError))
	}
	fmt.Fprintf(table, "results\t%d\n", t.Results)
	for i := range results {
		r := &results[i]
		fmt.Fprintf(table, "result %d\t%s to %s, %d reports\n", r.Number, r.Start.Format(time.RFC3339), r.End.Format(time.RFC3339), r.ReportCount)
	}
	return table.Flush()
}

func (c *commands) export() *cobra.Command {
	var out string
	command := &cobra.Command{
		Use: "export --dir DIR", Short: "Write everything but secrets",
		Long: `Writes everything but secrets as JSON lines: each task with its file, and then
each of its collections with its result.`,
		Example: "  collector export --dir C --out results.jsonl", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return c.withClient(command, func(client *collectordir.Client) error {
				if out == "" {
					return client.Copy(command.Context(), "/api/v1/export", command.OutOrStdout())
				}
				var text bytes.Buffer
				if err := client.Copy(command.Context(), "/api/v1/export", &text); err != nil {
					return err
				}
				return privatefile.Replace(out, text.Bytes())
			})
		},
	}
	command.Flags().StringVar(&out, "out", "", "the file to write; standard output if left out")
	return c.withDir(command)
}

// register keeps a task in the directory, so that serve collects it.
func (c *commands) register(command *cobra.Command, text []byte, schedule *wire.Schedule) (task wire.Task, err error) {
	err = c.withClient(command, func(client *collectordir.Client) error {
		if err := client.Do(command.Context(), "POST", "/api/v1/task_files", wire.TaskFile{File: string(text)}, &task); err != nil || schedule == nil {
			return err
		}
		return client.Do(command.Context(), "PUT", "/api/v1/tasks/"+task.ID+"/schedule", schedule, &task)
	})
	return task, err
}

// scheduleFlags are --every and --delay as they were typed.
type scheduleFlags struct{ every, delay string }

func (s *scheduleFlags) add(command *cobra.Command) {
	command.Flags().StringVar(&s.every, "every", "", "when collector serve collects: each hour or day, each batch as soon as it is ready, or by hand")
	command.Flags().StringVar(&s.delay, "delay", "", "how long to wait for late reports after an interval is over, such as 5m; 0s not to wait")
}

// schedule returns what was typed; nil if nothing was.
func (s *scheduleFlags) schedule() (*wire.Schedule, error) {
	if s.every == "" && s.delay == "" {
		return nil, nil
	}
	if !slices.Contains([]string{"hour", "day", "batch", "hand"}, s.every) {
		return nil, cli.Usagef("--every: write hour, day, batch or hand")
	}
	schedule := &wire.Schedule{Every: s.every}
	if s.delay != "" {
		var delay time.Duration // 0s is no time span, and a delay all the same
		var err error
		if s.delay != "0s" {
			delay, err = timespan.Parse(s.delay)
		}
		if err != nil {
			return nil, cli.Usagef("--delay: %v", err)
		}
		seconds := int64(delay / time.Second)
		schedule.DelaySeconds = &seconds
	}
	return schedule, nil
}

func (c *commands) addTask() *cobra.Command {
	var schedule scheduleFlags
	command := &cobra.Command{
		Use: "add --dir DIR FILE", Short: "Keep a task that was made before",
		Long:    "Keeps a task in the directory, so that collector serve collects it. task new\ndoes so by itself.",
		Example: "  collector task add --dir C delays.task --every hour", Args: cli.OneArgument("the task file"),
		RunE: func(command *cobra.Command, args []string) error {
			wanted, err := schedule.schedule()
			if err != nil {
				return err
			}
			text, err := cli.ReadFile(args[0], taskfile.MaxSize)
			if err != nil {
				return err
			}
			task, err := c.register(command, text, wanted)
			if err != nil {
				return err
			}
			return c.print(command, task, func() error {
				_, err := fmt.Fprintf(command.OutOrStdout(), "%s keeps the task %q.\n", c.dir, task.Name)
				return err
			})
		},
	}
	schedule.add(command)
	return c.withDir(command)
}

func (c *commands) taskToken() *cobra.Command {
	var f collectFlags
	command := &cobra.Command{
		Use: "token --dir DIR TASK --token-file FILE", Short: "Keep the leader's token for a task",
		Long: `Keeps the token that the leader's operator gave for a task, which leader task
add printed, so that collector serve can collect it. It is sealed in the
database, and cannot be read again. It may come from --token-file, --token or
the environment variable ` + tokenVariable + `. TASK is the task's ID or its name.`,
		Example: "  collector task token --dir C delays --token-file token", Args: cli.OneArgument("the task's ID or name"),
		RunE: func(command *cobra.Command, args []string) error {
			token, err := f.readToken()
			if err != nil {
				return err
			}
			return c.changeTask(command, args[0], "token", wire.TaskToken{Token: token}, "The token is kept.")
		},
	}
	command.Flags().StringVar(&f.token, "token", "", "the token")
	command.Flags().StringVar(&f.tokenFile, "token-file", "", "a file that holds the token")
	return c.withDir(command)
}

func (c *commands) taskSchedule() *cobra.Command {
	var schedule scheduleFlags
	command := &cobra.Command{
		Use: "schedule --dir DIR TASK --every hour|day|batch|hand", Short: "Change when a task is collected",
		Long:    "Changes when collector serve collects a task. TASK is the task's ID or its name.",
		Example: "  collector task schedule --dir C delays --every day --delay 1h", Args: cli.OneArgument("the task's ID or name"),
		RunE: func(command *cobra.Command, args []string) error {
			wanted, err := schedule.schedule()
			if err != nil {
				return err
			}
			if wanted == nil {
				return cli.Usagef("--every must be given")
			}
			return c.changeTask(command, args[0], "schedule", wanted, "The schedule is changed.")
		},
	}
	schedule.add(command)
	return c.withDir(command)
}

// changeTask puts something of a task.
func (c *commands) changeTask(command *cobra.Command, idOrName, what string, body any, done string) error {
	return c.withClient(command, func(client *collectordir.Client) error {
		task, err := client.FindTask(command.Context(), idOrName)
		if err != nil {
			return err
		}
		if err := client.Do(command.Context(), "PUT", "/api/v1/tasks/"+url.PathEscape(task.ID)+"/"+what, body, &task); err != nil {
			return err
		}
		return c.print(command, task, func() error {
			_, err := fmt.Fprintln(command.OutOrStdout(), done)
			return err
		})
	})
}

// keepTask registers a task that was just written to a file.
func (c *commands) keepTask(command *cobra.Command, path string, schedule *wire.Schedule) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if _, err := c.register(command, text, schedule); err != nil {
		return fmt.Errorf("the task is made, in %s, but %s does not keep it, so that collector serve will not collect it: %w; try again with collector task add", path, c.dir, err)
	}
	return nil
}
