package collectorcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/collector"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/commands/explain"
	"github.com/twofold-dap/twofold/internal/taskfile"
	"github.com/twofold-dap/twofold/internal/timespan"
)

// tokenVariable is the environment variable that may hold the token.
const tokenVariable = "TWOFOLD_TOKEN"

// collectFlags are the flags of collect as they were typed.
type collectFlags struct {
	task, token, tokenFile string
	last, interval         string
	next, throughNow       bool
	timeout                time.Duration
	csv                    bool
	plot                   string
	allowPlain             bool
}

func (c *commands) collect() *cobra.Command {
	var f collectFlags
	command := &cobra.Command{
		Use:   "collect --dir DIR --task FILE --token TOKEN (--last DURATION | --interval START/END | --next)",
		Short: "Collect a result",
		Long: `Asks the leader for the aggregate result of a batch, waits until it is ready, and
shows it as a table with bars, as CSV (--csv) or as JSON (--json); --plot draws
it into a file, too. The token is the one that leader task add printed; it may
come from --token-file or from the environment variable ` + tokenVariable + `, too.

--last 24h collects the newest 24 hours that are complete; with --through-now
also the time that is still going on, after which the aggregators refuse later
reports of that time. --interval 2026-01-31T00:00:00Z/2026-02-01T00:00:00Z
collects that time. Nothing can be collected twice; asking for the same interval
again gives the same answer. --next is for tasks whose batches the leader
selects: each time it gives another.

If --timeout passes, the exit status is 75: try again later, nothing is lost. The
leader goes on waiting for the batch, and collecting it again goes on with that;
collector cancel gives it up.`,
		Example: "  collector collect --dir C --task delays.task --token-file token --last 24h --json",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return c.runCollect(command, &f)
		},
	}
	f.add(command)
	command.Flags().BoolVar(&f.csv, "csv", false, "print the result as CSV, a line for each number")
	command.Flags().StringVar(&f.plot, "plot", "", "also draw the result into this file, .svg or .png, which is replaced")
	command.Flags().DurationVar(&f.timeout, "timeout", 0, "how long to wait, such as 10m; for ever if left out")
	return c.withDir(command)
}

// add adds the flags that say whose batch it is and which.
func (f *collectFlags) add(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&f.task, "task", "", "the task file")
	flags.StringVar(&f.token, "token", "", "the token")
	flags.StringVar(&f.tokenFile, "token-file", "", "a file that holds the token")
	flags.StringVar(&f.last, "last", "", "the last time of this length, such as 24h")
	flags.BoolVar(&f.throughNow, "through-now", false, "with --last: and the time that is still going on")
	flags.StringVar(&f.interval, "interval", "", "this time, START/END")
	flags.BoolVar(&f.next, "next", false, "the next batch that the leader selects")
	flags.BoolVar(&f.allowPlain, "allow-plain-http", false, "allow an http URL of another machine; only for tests in private networks")
}

func (c *commands) runCollect(command *cobra.Command, f *collectFlags) error {
	if f.csv && c.json {
		return cli.Usagef("give one of --csv and --json")
	}
	run, err := c.prepare(command, f)
	if err != nil {
		return err
	}
	switch run.file.Spec.Config.(type) {
	case dap.Prio3CountConfig, dap.Prio3SumConfig:
		return collect[uint64](run)
	default:
		return collect[[]uint64](run)
	}
}

// prepare reads what the flags name.
func (c *commands) prepare(command *cobra.Command, f *collectFlags) (*collection, error) {
	if err := cli.RequireFlags(command, "dir", "task"); err != nil {
		return nil, err
	}
	if err := f.checkQuery(); err != nil {
		return nil, err
	}
	file, err := readTask(f.task)
	if err != nil {
		return nil, err
	}
	keypair, err := readKeypair(filepath.Clean(c.dir))
	if err != nil {
		return nil, err
	}
	if keypair.Config.ID != file.CollectorHpkeConfig.ID || string(keypair.Config.PublicKey) != string(file.CollectorHpkeConfig.PublicKey) {
		return nil, fmt.Errorf("the task %s was made with the key of another directory than %s; use that one", f.task, c.dir)
	}
	token, err := f.readToken()
	if err != nil {
		return nil, err
	}
	return &collection{commands: c, command: command, flags: f, file: file, keypair: keypair, token: token}, nil
}

func (f *collectFlags) checkQuery() error {
	given := 0
	for _, is := range []bool{f.last != "", f.interval != "", f.next} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return cli.Usagef("give one of --last, --interval and --next")
	case f.throughNow && f.last == "":
		return cli.Usagef("--through-now goes with --last")
	case f.plot != "" && plotFormat(f.plot) == "":
		return cli.Usagef("--plot: the file's name must end with .svg or .png")
	case f.timeout < 0:
		return cli.Usagef("--timeout must not be negative")
	case f.token != "" && f.tokenFile != "":
		return cli.Usagef("give one of --token and --token-file")
	}
	return nil
}

func (f *collectFlags) readToken() (string, error) {
	switch {
	case f.token != "":
		return f.token, nil
	case f.tokenFile != "":
		return cli.ReadSecretLine(f.tokenFile)
	}
	if token := os.Getenv(tokenVariable); token != "" {
		return token, nil
	}
	return "", cli.Usagef("there is no token: give --token, --token-file or the environment variable %s", tokenVariable)
}

// collection is one run of collect.
type collection struct {
	*commands
	command *cobra.Command
	flags   *collectFlags
	file    taskfile.File
	keypair dap.HpkeKeypair
	token   string

	doing  string // what is told of the interval, if it is not collected
	chosen string // the interval, once the query is made
}

// selection is the flag that names the batch, whenever it is typed.
func (run *collection) selection() string {
	if run.flags.next {
		return "--next"
	}
	return "--interval " + run.chosen
}

// newCollector makes the Collector of a run.
func newCollector[R uint64 | []uint64](run *collection, waiting func(time.Duration, error)) (*collector.Collector[R], error) {
	task := collector.Task{ID: run.file.ID, Configuration: run.file.Config, Taskprov: run.file.Taskprov}
	return collector.New[R](task, run.keypair, run.token, collector.Options{AllowPlain: run.flags.allowPlain, Waiting: waiting})
}

// collect collects a result of type R and prints it.
func collect[R uint64 | []uint64](run *collection) error {
	waiting := newWaiting(run.command.ErrOrStderr())
	c, err := newCollector[R](run, waiting.say)
	if err != nil {
		return err
	}
	query, err := run.query(time.Now())
	if err != nil {
		return err
	}
	ctx := run.command.Context()
	if run.flags.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, run.flags.timeout)
		defer cancel()
	}
	result, err := c.Collect(ctx, query)
	waiting.end()
	if err != nil {
		if run.command.Context().Err() != nil || errors.Is(err, context.DeadlineExceeded) {
			fmt.Fprintf(run.command.ErrOrStderr(), "The leader still waits for this batch. Go on with collector collect %s, or give it up with collector cancel %[1]s.\n", run.selection())
		}
		return collectError(run.flags.timeout, err)
	}
	object := newResult(&result, run.file.ResultLabels())
	if err := run.show(object); err != nil {
		return err
	}
	if !run.flags.next {
		return nil
	}
	// The result has been shown. As long as the job is there, the same query gives the same batch.
	if err := c.Delete(ctx, result.Job); err != nil {
		fmt.Fprintf(run.command.ErrOrStderr(), "The leader could not be told that this batch has arrived: %s. The next collect will show it again.\n", cli.OneLine(err.Error()))
	}
	return nil
}

// query makes the query of the flags, and says what it covers.
func (run *collection) query(now time.Time) (dap.Query, error) {
	config := run.file.Config
	if run.flags.next {
		if config.BatchMode != dap.BatchModeLeaderSelected {
			return dap.Query{}, cli.Usagef("--next is for tasks whose batches the leader selects; this one takes --last or --interval")
		}
		return dap.NewLeaderSelectedQuery(), nil
	}
	if config.BatchMode != dap.BatchModeTimeInterval {
		return dap.Query{}, cli.Usagef("the leader selects the batches of this task; use --next")
	}
	interval, err := run.interval(now)
	if err != nil {
		return dap.Query{}, err
	}
	end, err := interval.End()
	if err != nil {
		return dap.Query{}, err
	}
	first, last := interval.Start.At(config.TimePrecision), end.At(config.TimePrecision)
	run.chosen = first.Format(time.RFC3339) + "/" + last.Format(time.RFC3339)
	if run.doing != "" {
		fmt.Fprintf(run.command.ErrOrStderr(), "%s %s\n", run.doing, run.chosen)
		return dap.NewTimeIntervalQuery(interval), nil
	}
	fmt.Fprintf(run.command.ErrOrStderr(), "Collecting %s\n", run.chosen)
	if last.After(now) {
		fmt.Fprintf(run.command.ErrOrStderr(), "This time is still going on: once it is collected, reports of it are refused until %s.\n", last.Format(time.RFC3339))
	}
	return dap.NewTimeIntervalQuery(interval), nil
}

func (run *collection) interval(now time.Time) (dap.Interval, error) {
	precision := run.file.Config.TimePrecision
	if run.flags.interval != "" {
		start, end, err := timespan.ParseInterval(run.flags.interval)
		if err != nil {
			return dap.Interval{}, cli.Usagef("--interval: %v", err)
		}
		interval, err := precision.IntervalOf(start, end)
		if err != nil {
			return dap.Interval{}, cli.Usagef("--interval: %v", err)
		}
		return interval, nil
	}
	last, err := timespan.Parse(run.flags.last)
	if err != nil {
		return dap.Interval{}, cli.Usagef("--last: %v", err)
	}
	duration, err := precision.DurationOf(last)
	if err != nil {
		return dap.Interval{}, cli.Usagef("--last: %v", err)
	}
	current, err := precision.TimeOf(now)
	if err != nil {
		return dap.Interval{}, err
	}
	if uint64(duration) > uint64(current) {
		return dap.Interval{}, cli.Usagef("--last: %s begins before 1970", run.flags.last)
	}
	interval := dap.Interval{Start: current - dap.Time(duration), Duration: duration}
	if run.flags.throughNow {
		interval.Duration++
	}
	return interval, nil
}

// collectError says what may be tried later, and what to do about the rest.
func collectError(timeout time.Duration, err error) error {
	if timeout > 0 && errors.Is(err, context.DeadlineExceeded) {
		return &cli.NotReadyError{Err: fmt.Errorf("not ready after %s; try again later, nothing is lost (%w)", timeout, err)}
	}
	if errorType, ok := dap.ErrorTypeOf(err); ok && errorType == dap.ErrorTypeInvalidBatchSize {
		return &cli.NotReadyError{Err: explain.Error(err)}
	}
	return explain.Error(err)
}
