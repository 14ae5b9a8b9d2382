package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop)   // a second signal ends it at once
	signal.Ignore(syscall.SIGPIPE) // who no longer listens makes a write fail, and there is time to clean up
	status := 0
	if err := command(os.Stdout, os.Stderr).ExecuteContext(ctx); err != nil {
		status = exitStatus(os.Stderr, err)
	}
	stop()
	os.Exit(status)
}

// errMismatch says that the run came to its end, and not all was as it should be.
var errMismatch = errors.New("not everything is as it should be")

// usageError says that the command line is wrong.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitStatus says what went wrong, and returns the exit status for it.
func exitStatus(stderr io.Writer, err error) int {
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "demo: stopped; nothing is left behind")
		return exitFailed
	}
	fmt.Fprintf(stderr, "demo: %v\n", err)
	if usage, ok := errors.AsType[usageError](err); ok && usage.error != nil {
		return exitUsage
	}
	return exitFailed
}

func command(stdout, stderr io.Writer) *cobra.Command {
	d := &demo{}
	asJSON := false
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run the whole system on real data, on this machine",
		Long: `Demo builds and starts a Leader and a Helper on this machine, creates five tasks,
uploads flights to each with the reports of a cheating client among them,
collects every task, and compares each result with the plain computation. It
exits with status 1 if anything differs, and leaves nothing behind.

With --serve it starts a Collector too, uploads the flights as those of the last
days, prints the address of the analyst's page and a token for it, and leaves
everything running until Ctrl-C.`,
		Example: `  go run ./cmd/demo
  go run ./cmd/demo --reports 20000
  go run ./cmd/demo --csv flights.csv --reports 40000 --json
  go run ./cmd/demo --serve`,
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("%q is not a flag; see --help", args[0])}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("reports") && d.reports < 1 {
				return usageError{fmt.Errorf("--reports must be 1 or more, and not %d", d.reports)}
			}
			if d.forever && asJSON {
				return usageError{errors.New("--serve has no results to print; leave --json out")}
			}
			if asJSON {
				return d.execute(c.Context(), stderr, stdout)
			}
			return d.execute(c.Context(), stdout, nil)
		},
	}
	c.SetOut(stdout)
	c.SetErr(stderr)
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	c.Flags().IntVar(&d.reports, "reports", 0, fmt.Sprintf("how many flights to upload to each task, evenly spread over the data (default %d, or with --csv all of them)", defaultReports))
	c.Flags().StringVar(&d.csv, "csv", "", "use the flights of this file, with the columns of examples/flights/flights.csv")
	c.Flags().BoolVar(&d.forever, "serve", false, "leave everything running, with the analyst's page, until Ctrl-C")
	c.Flags().BoolVar(&asJSON, "json", false, "print one object at the end on standard output, and all else on standard error")
	return c
}

// execute runs the demo, shows the results on people, and writes them as an
// object on objects unless that is nil.
func (d *demo) execute(ctx context.Context, people, objects io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d.p = newPrinter(people, cancel)
	d.started = time.Now()
	outcomes, err := d.run(ctx)
	if err != nil {
		return err
	}
	if d.forever {
		return nil
	}
	took := time.Since(d.started)
	show(d.p, outcomes)
	matched := allMatch(outcomes)
	if matched {
		d.p.printf("\n%s in %.1f s: every result is exact, and every cheating report was rejected.\n", d.p.style(green, "Done"), took.Seconds())
	}
	if objects != nil {
		if err := writeJSON(objects, outcomes, took); err != nil {
			return err
		}
	}
	if !matched {
		return errMismatch
	}
	return nil
}
