package clientcmd

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/commands/explain"
	"github.com/twofold-dap/twofold/internal/measure"
	"github.com/twofold-dap/twofold/internal/taskfile"
)

// uploadFlags are the flags of upload as they were typed.
type uploadFlags struct {
	task, csv, value, timeColumn string
	columns                      []string
	stdin, json, allowPlain      bool
}

func newUpload() *cobra.Command {
	var f uploadFlags
	command := &cobra.Command{
		Use:   "upload --task FILE (--csv FILE --column NAME | --stdin | --value V)",
		Short: "Report measurements",
		Long: `Reports measurements: one from each row of a CSV file with a heading, one from
each line of standard input, or a single value.

Everything is checked before anything is sent: a row without a value, with text
in place of a number, or with a number that the task does not allow is an error
that names the line.

A count takes flags, 1 or 0; a sum whole numbers; a histogram numbers, or the
index of a bucket if the task has no edges. A sumvec takes several numbers and a
multihot several flags: name a column for each, in order, or one column that
holds them with ; between them.

Reports tell their time, rounded down to the task's precision: now, or what
--time-column holds, as in RFC 3339 or in seconds since 1970.

The exit status is 1 if a report was rejected.`,
		Example: `  client upload --task delays.task --csv flights.csv --column delay_minutes
  client upload --task delays.task --value 12`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return runUpload(command, &f) },
	}
	flags := command.Flags()
	flags.StringVar(&f.task, "task", "", "the task file")
	flags.StringVar(&f.csv, "csv", "", "a CSV file with a heading")
	flags.StringArrayVar(&f.columns, "column", nil, "the column that holds the measurement; several for a vector")
	flags.StringVar(&f.timeColumn, "time-column", "", "the column that holds each measurement's time")
	flags.BoolVar(&f.stdin, "stdin", false, "read a measurement from each line of standard input")
	flags.StringVar(&f.value, "value", "", "a single measurement")
	flags.BoolVar(&f.json, "json", false, "print one JSON object, on the last line")
	flags.BoolVar(&f.allowPlain, "allow-plain-http", false, "allow http URLs of other machines; only for tests in private networks")
	return command
}

func runUpload(command *cobra.Command, f *uploadFlags) error {
	if err := cli.RequireFlags(command, "task"); err != nil {
		return err
	}
	if err := f.check(command); err != nil {
		return err
	}
	text, err := cli.ReadFile(f.task, taskfile.MaxSize)
	if err != nil {
		return err
	}
	file, err := taskfile.Decode(text)
	if err != nil {
		return fmt.Errorf("%s: %w", f.task, err)
	}
	u := &uploading{command: command, flags: f, file: file}
	switch file.Spec.Config.(type) {
	case dap.Prio3CountConfig:
		return upload(u, measure.ParseFlag)
	case dap.Prio3SumConfig:
		return upload(u, measure.ParseNumber)
	case dap.Prio3SumVecConfig:
		return upload(u, measure.ParseNumbers)
	case dap.Prio3HistogramConfig:
		return upload(u, measure.BucketParser(file.Spec))
	case dap.Prio3MultihotCountVecConfig:
		return upload(u, measure.ParseFlags)
	}
	return fmt.Errorf("%s: the VDAF %s is not supported", f.task, file.Config.VdafType)
}

func (f *uploadFlags) check(command *cobra.Command) error {
	given := 0
	for _, name := range []string{"csv", "stdin", "value"} {
		if command.Flags().Lookup(name).Changed {
			given++
		}
	}
	switch {
	case given != 1:
		return cli.Usagef("give one of --csv, --stdin and --value")
	case f.csv != "" && len(f.columns) == 0:
		return cli.Usagef("--csv needs --column, the name of the column that holds the measurements")
	case f.csv == "" && (len(f.columns) > 0 || f.timeColumn != ""):
		return cli.Usagef("--column and --time-column go with --csv")
	}
	return nil
}

// uploading is one run of upload.
type uploading struct {
	command *cobra.Command
	flags   *uploadFlags
	file    taskfile.File
}

// upload reads, checks and reports measurements of type M.
func upload[M any](u *uploading, parse measure.Parser[M]) error {
	progress := newProgress(u.command.ErrOrStderr())
	task := client.Task{ID: u.file.ID, Configuration: u.file.Config, Taskprov: u.file.Taskprov}
	c, err := client.New[M](task, client.Options{AllowPlain: u.flags.allowPlain, Progress: progress.set})
	if err != nil {
		return err
	}
	rows, closeRows, err := u.rows()
	if err != nil {
		return err
	}
	measurements, err := measure.Read(measure.Source{
		Rows: rows, Columns: u.flags.columns, TimeColumn: u.flags.timeColumn, Now: time.Now(),
	}, parse, c.Check)
	if err := errors.Join(err, closeRows()); err != nil {
		return u.inputError(err)
	}
	progress.begin(len(measurements))
	outcomes, err := c.Upload(u.command.Context(), measurements...)
	progress.end()
	s := summarize(outcomes)
	if printErr := u.printSummary(s); printErr != nil {
		return errors.Join(err, printErr)
	}
	if err != nil {
		return explain.Error(err)
	}
	if s.Rejected > 0 {
		return fmt.Errorf("%d of %d reports were rejected: %s", s.Rejected, len(outcomes), s.reasonsText())
	}
	return nil
}

// rows opens the input.
func (u *uploading) rows() (iter.Seq2[measure.Row, error], func() error, error) {
	nothing := func() error { return nil }
	switch {
	case u.flags.csv != "":
		f, err := os.Open(u.flags.csv)
		if err != nil {
			return nil, nil, err
		}
		return measure.CSV(f, u.flags.columns, u.flags.timeColumn), f.Close, nil
	case u.flags.stdin:
		return measure.Lines(u.command.InOrStdin()), nothing, nil
	}
	return measure.Value(u.flags.value), nothing, nil
}

// inputError says where the input comes from.
func (u *uploading) inputError(err error) error {
	source := "--value"
	if u.flags.csv != "" {
		source = u.flags.csv
	} else if u.flags.stdin {
		source = "standard input"
	}
	return fmt.Errorf("%s: %w; nothing was sent", source, err)
}

// summary is the object of upload.
type summary struct {
	Uploaded int `json:"uploaded"`
	Rejected int `json:"rejected"`
	// Unknown are reports of which it is not known whether they arrived.
	Unknown int `json:"unknown"`
	// Reasons are the numbers of rejected reports by report error.
	Reasons map[string]int `json:"reasons"`
}

func summarize(outcomes []client.Outcome) summary {
	s := summary{Reasons: map[string]int{}}
	for _, o := range outcomes {
		switch o.Status {
		case client.StatusUploaded:
			s.Uploaded++
		case client.StatusRejected:
			s.Rejected++
			s.Reasons[o.Reason.String()]++
		default:
			s.Unknown++
		}
	}
	return s
}

func (s summary) reasonsText() string {
	var texts []string
	for _, reason := range slices.Sorted(maps.Keys(s.Reasons)) {
		texts = append(texts, fmt.Sprintf("%d %s", s.Reasons[reason], reason))
	}
	return strings.Join(texts, ", ")
}

func (u *uploading) printSummary(s summary) error {
	w := u.command.OutOrStdout()
	if u.flags.json {
		return cli.PrintJSON(w, s)
	}
	return s.print(w)
}

func (s summary) print(w io.Writer) error {
	text := fmt.Sprintf("uploaded %d, rejected %d", s.Uploaded, s.Rejected)
	if s.Rejected > 0 {
		text += " (" + s.reasonsText() + ")"
	}
	if s.Unknown > 0 {
		text += fmt.Sprintf(", not sent or not answered %d", s.Unknown)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}
