package collectorcmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/taskfile"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
	"github.com/twofold-dap/twofold/internal/timespan"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

func (c *commands) initialize() *cobra.Command {
	postQuantum := false
	command := &cobra.Command{
		Use:   "init --dir DIR",
		Short: "Make a new directory with a key",
		Long: `Makes a directory with a new HPKE key, to which the aggregators encrypt what they
send you. Without the key the results are lost: keep a copy.`,
		Example: "  collector init --dir C",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := cli.RequireFlags(command, "dir"); err != nil {
				return err
			}
			keypair, err := newKeypair(postQuantum)
			if err != nil {
				return err
			}
			dir := filepath.Clean(c.dir)
			if err := writeKeypair(dir, keypair); err != nil {
				return err
			}
			return c.print(command, map[string]string{"dir": dir}, func() error {
				_, err := fmt.Fprintf(command.OutOrStdout(), "Initialized %s with a new key.\n", dir)
				return err
			})
		},
	}
	command.Flags().BoolVar(&postQuantum, "post-quantum", false, "use X-Wing in place of X25519")
	return c.withDir(command)
}

func (c *commands) task() *cobra.Command {
	return cli.Group("task", "Make and show tasks", "The task files that operators and clients are given.", c.newTask(), c.showTask(), c.addTask(), c.taskToken(), c.taskSchedule())
}

// taskFlags are the flags of task new as they were typed.
type taskFlags struct {
	leader, helper, vdaf, timePrecision, batchMode, start, duration, name, out string
	minBatchSize                                                               uint64
	labels                                                                     []string
	ownID                                                                      bool
	privacy                                                                    privacyFlags
	schedule                                                                   scheduleFlags
}

func (c *commands) newTask() *cobra.Command {
	var t taskFlags
	command := &cobra.Command{
		Use:   "new --dir DIR --leader URL --helper URL --vdaf VDAF --min-batch-size N --time-precision DURATION --out FILE",
		Short: "Make a task",
		Long: `Makes a task and writes its file, which is public: give it to the operators of
both aggregators, who approve it, and to the clients. A task never changes. The
directory keeps it, and collector serve collects it when --every says, by hand
if it is left out.

VDAF says what is measured:
  count                              a flag: how many are set
  sum:max=N                          a number, 0 to N: their sum
  sumvec:length=N,max=M              N numbers, 0 to M each: their sums
  histogram:edges=0;10;20            a number: how many lie below 0, in 0 to
                                     below 10, in 10 to below 20, and from 20
  histogram:length=N                 an index, 0 to N-1: how many of each
  multihot:length=N,max_weight=W     N flags, at most W of them set: how many
                                     are set at each place

The minimum batch size protects people: a result is about at least so many
reports. The time precision is how exactly reports tell their time, and what
intervals are multiples of.

` + privacyHelp + `

A client may lose what all results together tell about it, up to the budget: the
aggregators refuse to collect more. Nobody can see from a report whose it is, so
what --reports-per-client says is for the clients to keep to.`,
		Example: `  collector task new --dir C --leader https://leader.example/ --helper https://helper.example/ \
      --vdaf "histogram:edges=0;15;60" --min-batch-size 100 --time-precision 1h --out delays.task`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := cli.RequireFlags(command, "dir", "leader", "helper", "vdaf", "min-batch-size", "time-precision", "out"); err != nil {
				return err
			}
			keypair, err := readKeypair(filepath.Clean(c.dir))
			if err != nil {
				return err
			}
			draft, err := t.draft(command)
			if err != nil {
				return err
			}
			draft.CollectorHpkeConfig = keypair.Config
			schedule, err := t.schedule.schedule()
			if err != nil {
				return err
			}
			file, err := taskfile.New(draft)
			if err != nil {
				return err
			}
			if err := writeTask(t.out, file); err != nil {
				return err
			}
			if err := c.keepTask(command, t.out, schedule); err != nil {
				return err
			}
			object := taskObject(file)
			object.File = t.out
			return c.print(command, object, func() error {
				_, err := fmt.Fprintf(command.OutOrStdout(), "Wrote the task %q, %s, to %s.\n", file.Name, file.ID, t.out)
				return err
			})
		},
	}
	flags := command.Flags()
	flags.StringVar(&t.leader, "leader", "", "the leader's URL, letter by letter as its operator gave it")
	flags.StringVar(&t.helper, "helper", "", "the helper's URL, letter by letter as its operator gave it")
	flags.StringVar(&t.vdaf, "vdaf", "", "what is measured, see above")
	flags.Uint64Var(&t.minBatchSize, "min-batch-size", 0, "the smallest number of reports in a result")
	flags.StringVar(&t.timePrecision, "time-precision", "", "such as 1h or 5m")
	flags.StringVar(&t.batchMode, "batch-mode", taskfile.BatchModeName(dap.BatchModeTimeInterval), "time-interval, where you choose intervals to collect, or leader-selected")
	flags.StringVar(&t.start, "start", "", "from when on the task takes reports, such as 2026-01-31T00:00:00Z")
	flags.StringVar(&t.duration, "duration", "", "for how long from start, such as 30d")
	flags.StringVar(&t.name, "name", "", "a name for people; the file's if left out")
	flags.StringArrayVar(&t.labels, "label", nil, "a name for a number of the result; give one for each, in order")
	flags.BoolVar(&t.ownID, "own-id", false, "give the task a random ID, for aggregators without Taskprov")
	t.schedule.add(command)
	flags.StringVar(&t.out, "out", "", "the file to write, which must not exist")
	t.privacy.add(command)
	return c.withDir(command)
}

// draft parses the flags; what is wrong with one is a *cli.UsageError.
func (t *taskFlags) draft(command *cobra.Command) (taskfile.Draft, error) {
	draft := taskfile.Draft{Name: t.name, Leader: t.leader, Helper: t.helper, Labels: t.labels, MinBatchSize: t.minBatchSize, OwnID: t.ownID}
	if draft.Name == "" {
		draft.Name = strings.TrimSuffix(filepath.Base(t.out), filepath.Ext(t.out))
	}
	if t.minBatchSize == 0 || t.minBatchSize > math.MaxInt64 {
		return draft, cli.Usagef("--min-batch-size: must be 1 or more; below about 100 a result may tell on people")
	}
	var err error
	if draft.Spec, err = vdafspec.Parse(t.vdaf); err != nil {
		return draft, cli.Usagef("--vdaf: %v", err)
	}
	if draft.Privacy, err = t.privacy.parameters(command, draft.Spec, t.minBatchSize); err != nil {
		return draft, err
	}
	if draft.TimePrecision, err = timespan.Parse(t.timePrecision); err != nil {
		return draft, cli.Usagef("--time-precision: %v", err)
	}
	if draft.BatchMode, err = taskfile.ParseBatchMode(t.batchMode); err != nil {
		return draft, cli.Usagef("--batch-mode: %v", err)
	}
	if (t.start == "") != (t.duration == "") {
		return draft, cli.Usagef("give both --start and --duration, or none")
	}
	if t.start == "" {
		return draft, nil
	}
	if draft.Start, err = timespan.ParseTime(t.start); err != nil {
		return draft, cli.Usagef("--start: %v", err)
	}
	if draft.Duration, err = timespan.Parse(t.duration); err != nil {
		return draft, cli.Usagef("--duration: %v", err)
	}
	return draft, nil
}

// writeTask writes a file that must not exist.
func writeTask(path string, file taskfile.File) error {
	text, err := file.Encode()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already; choose another name with --out", path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// taskJSON is the object of task new and task show.
type taskJSON struct {
	File          string   `json:"file,omitempty"`
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	VDAF          string   `json:"vdaf"`
	Leader        string   `json:"leader"`
	Helper        string   `json:"helper"`
	MinBatchSize  uint64   `json:"min_batch_size"`
	TimePrecision uint64   `json:"time_precision_seconds"`
	BatchMode     string   `json:"batch_mode"`
	Start         string   `json:"start,omitempty"`
	End           string   `json:"end,omitempty"`
	Taskprov      bool     `json:"taskprov"`
	Labels        []string `json:"labels,omitempty"`
	// DifferentialPrivacy is there if results have noise.
	DifferentialPrivacy *privacyJSON `json:"differential_privacy,omitempty"`

	privacy string // for people
}

func taskObject(file taskfile.File) taskJSON {
	object := taskJSON{
		ID: file.ID.String(), Name: file.Name, VDAF: file.Spec.String(),
		Leader: file.Config.LeaderAggregatorEndpoint, Helper: file.Config.HelperAggregatorEndpoint,
		MinBatchSize: file.Config.MinBatchSize, TimePrecision: uint64(file.Config.TimePrecision),
		BatchMode: taskfile.BatchModeName(file.Config.BatchMode), Taskprov: file.Taskprov, Labels: file.ResultLabels(),
	}
	if p, ok, err := taskprivacy.Parameters(file.Config); ok && err == nil { // an error was found when the file was read
		object.DifferentialPrivacy, object.privacy = newPrivacyJSON(p), describePrivacy(p)
	}
	if interval, ok := file.Config.TaskInterval(); ok {
		object.Start = interval.Start.At(file.Config.TimePrecision).Format(time.RFC3339)
		if end, err := interval.End(); err == nil {
			object.End = end.At(file.Config.TimePrecision).Format(time.RFC3339)
		}
	}
	return object
}

func (c *commands) showTask() *cobra.Command {
	return &cobra.Command{
		Use:     "show FILE",
		Short:   "Check a task file and show what it says",
		Long:    "Checks that a task file is as its author wrote it, and shows what it says.",
		Example: "  collector task show delays.task",
		Args:    cli.OneArgument("the task file"),
		RunE: func(command *cobra.Command, args []string) error {
			file, err := readTask(args[0])
			if err != nil {
				return err
			}
			return c.print(command, taskObject(file), func() error { return printTask(command.OutOrStdout(), taskObject(file)) })
		},
	}
}

func readTask(path string) (taskfile.File, error) {
	text, err := cli.ReadFile(path, taskfile.MaxSize)
	if err != nil {
		return taskfile.File{}, err
	}
	file, err := taskfile.Decode(text)
	if err != nil {
		return taskfile.File{}, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

func printTask(w io.Writer, t taskJSON) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "name\t%s\nid\t%s\nvdaf\t%s\nleader\t%s\nhelper\t%s\n", t.Name, t.ID, t.VDAF, t.Leader, t.Helper)
	fmt.Fprintf(table, "minimum batch size\t%d\ntime precision\t%s\nbatch mode\t%s\n", t.MinBatchSize, timespan.Format(time.Duration(t.TimePrecision)*time.Second), t.BatchMode)
	if t.Start != "" {
		fmt.Fprintf(table, "takes reports\t%s to %s\n", t.Start, t.End)
	}
	if p := t.DifferentialPrivacy; p != nil {
		fmt.Fprintf(table, "privacy\t%s\nmaximum batch size\t%d\n", t.privacy, p.MaxBatchSize)
	}
	return table.Flush()
}
