package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run runs the command and returns its exit status.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	defer stop()
	c := command(stdout, stderr)
	c.SetArgs(args)
	c.SetOut(stdout)
	c.SetErr(stderr)
	err := c.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "peers: %v\n", err)
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	return 1
}

// usageError says that the command line is wrong.
type usageError struct{ error }

// options are the flags.
type options struct {
	rounds    int
	time      time.Duration
	filter    *regexp.Regexp
	cargo     string
	workloads []workload
	log       io.Writer
}

func command(stdout, stderr io.Writer) *cobra.Command {
	o := options{log: stderr, workloads: workloads()}
	filter, document, asJSON := "", "", false
	c := &cobra.Command{
		Use:   "peers",
		Short: "Measure Twofold beside libprio-rs and circl, on this machine",
		Long: `Peers builds a small program on the Rust crate prio, and measures it, circl's
Prio3 and Twofold in turn, each on one thread in a process of its own, on the same
workloads. It prints the CPU time a report, medians over several rounds, and how
many times as long the others take. Without cargo it compares with circl alone.`,
		Example: `  go run ./bench/peers
  go run ./bench/peers --filter 'Histogram|SumVec' --rounds 9
  go run ./bench/peers --write docs/performance.md`,
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if o.filter, err = regexp.Compile(filter); err != nil {
				return usageError{fmt.Errorf("--filter: %w", err)}
			}
			if o.rounds < 1 || o.time <= 0 {
				return usageError{errors.New("--rounds and --time must be more than 0")}
			}
			t, err := measure(c.Context(), o)
			if err != nil {
				return err
			}
			if document != "" {
				if err := writeDocument(document, t); err != nil {
					return err
				}
			}
			if asJSON {
				return t.writeJSON(stdout)
			}
			return t.writeText(stdout)
		},
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	flags := c.Flags()
	flags.IntVar(&o.rounds, "rounds", 5, "how many times the implementations take turns")
	flags.DurationVar(&o.time, "time", 100*time.Millisecond, "the CPU time of each implementation for each step in each round")
	flags.StringVar(&filter, "filter", "", "measure only workloads whose name matches this regular expression")
	flags.StringVar(&o.cargo, "cargo", "cargo", "the command that builds the Rust program; empty to leave libprio-rs out")
	flags.StringVar(&document, "write", "", "also write the table into this file, between its two markers")
	flags.BoolVar(&asJSON, "json", false, "print the figures as one object")
	c.AddCommand(serveCommand(stdout))
	return c
}

// serveCommand is how the command runs itself as one of the implementations.
func serveCommand(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: "serve twofold|circl", Hidden: true,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			switch args[0] {
			case "twofold":
				return serve(os.Stdin, stdout, prepareTwofold)
			case "circl":
				return serve(os.Stdin, stdout, prepareCircl)
			}
			return usageError{fmt.Errorf("there is no implementation %q", args[0])}
		},
	}
}
