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
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	err := command(os.Stdout, os.Stderr).ExecuteContext(ctx)
	stop()
	os.Exit(exitStatus(os.Stderr, err))
}

// usageError says that the command line is wrong.
type usageError struct{ error }

// exitStatus says what went wrong, if anything, and returns the exit status for it.
func exitStatus(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "chaos: stopped; nothing is left behind")
		return exitFailed
	}
	fmt.Fprintf(stderr, "chaos: %v\n", err)
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

func command(stdout, stderr io.Writer) *cobra.Command {
	o := options{out: stdout, progress: 10 * time.Second}
	minutes := 0.0
	c := &cobra.Command{
		Use:   "chaos",
		Short: "Run the servers through failures of every kind, on this machine",
		Long: `Chaos runs a real Leader and a real Helper behind proxies that cut, stall, slow and
reset connections, and kills and stops both servers, while clients upload, tasks
begin and end, and Collectors collect. At the end the faults stop, and every
result must be exact. If anything is not as it should be the exit status is 1,
and the databases and logs are kept.`,
		Example: `  go run ./conformance/chaos --minutes 20 --seed 1
  go run ./conformance/chaos --minutes 5 --race`,
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("%q is not a flag; see --help", args[0])}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			if minutes <= 0 || minutes > 7*24*60 {
				return usageError{fmt.Errorf("--minutes must be more than 0 and at most a week, and not %v", minutes)}
			}
			if o.tasks < 1 {
				return usageError{fmt.Errorf("--tasks must be 1 or more, and not %d", o.tasks)}
			}
			if !c.Flags().Changed("seed") {
				o.seed = uint64(time.Now().UnixNano()) % 1_000_000
			}
			o.duration = time.Duration(minutes * float64(time.Minute))
			return chaos(c.Context(), o)
		},
	}
	c.SetOut(stdout)
	c.SetErr(stderr)
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	flags := c.Flags()
	flags.Float64Var(&minutes, "minutes", 1, "how long things fail; then everything is brought to its end, which takes a while more")
	flags.Uint64Var(&o.seed, "seed", 0, "decides what is done and when (default: another one each time)")
	flags.IntVar(&o.tasks, "tasks", 6, "how many tasks run at the same time")
	flags.BoolVar(&o.race, "race", false, "build the servers with the race detector, which needs a C compiler")
	flags.StringVar(&o.dir, "dir", "", "where to make the temporary directory for the databases and logs (default: the system's)")
	return c
}
