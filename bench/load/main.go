package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "load: %v\n", err)
		if _, ok := errors.AsType[usageError](err); ok {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

// usageError says that the command line is wrong.
type usageError struct{ error }

func command() *cobra.Command {
	o := options{log: os.Stderr}
	asJSON := false
	c := &cobra.Command{
		Use:   "load",
		Short: "Measure the whole system under load, on this machine",
		Long: `Load prepares reports, uploads them to a real Leader with a real Helper, and waits
until both have committed all of them. It prints rates, latencies, CPU time,
memory and disk space of each role.`,
		Example: `  go run ./bench/load --reports 50000 --vdaf histogram:length=100 --clients 8
  go run ./bench/load --reports 200000 --hold-helper`,
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for name, value := range map[string]int{"reports": o.reports, "clients": o.clients, "reports-per-request": o.perRequest} {
				if value < 1 {
					return usageError{fmt.Errorf("--%s must be 1 or more, and not %d", name, value)}
				}
			}
			r, err := measure(c.Context(), o)
			if err != nil {
				return err
			}
			if asJSON {
				return r.writeJSON(os.Stdout)
			}
			r.writeText(os.Stdout)
			return nil
		},
	}
	c.AddCommand(growthCommand())
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	flags := c.Flags()
	flags.IntVar(&o.reports, "reports", 20_000, "how many reports to upload")
	flags.StringVar(&o.vdaf, "vdaf", "histogram:length=100", "the task's VDAF, as `collector task new` takes it")
	flags.IntVar(&o.clients, "clients", 8, "how many clients upload at the same time")
	flags.IntVar(&o.perRequest, "reports-per-request", 100, "how many reports a client sends in each request")
	flags.BoolVar(&o.holdHelper, "hold-helper", false, "stop the Helper while reports are uploaded, so that all of them wait at the Leader")
	flags.DurationVar(&o.holdFor, "hold-for", 10*time.Second, "how long they wait after the last upload")
	flags.StringVar(&o.dir, "dir", "", "where to make the temporary directory for the databases (default: the system's)")
	flags.StringVar(&o.profile, "profile", "", "a directory for the servers' profiles of processor time and memory while they are under load")
	flags.BoolVar(&asJSON, "json", false, "print the figures as one object")
	return c
}
