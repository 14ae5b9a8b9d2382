package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// growthCommand is load growth.
func growthCommand() *cobra.Command {
	o := growthOptions{options: options{log: os.Stderr, perRequest: 100}}
	asJSON := false
	c := &cobra.Command{
		Use:   "growth",
		Short: "Compare databases that have grown with empty ones",
		Long: `Growth fills the databases of a Leader and a Helper with report IDs and waiting
reports, through the stores' own methods, and then measures how they start,
collect, and carry the same load as servers with empty databases beside them.
20,000,000 IDs and 5,000,000 waiting reports of 2.6 kB need 25 GB of disk.`,
		Example: `  go run ./bench/load growth --ids 1000000 --waiting 250000
  go run ./bench/load growth --ids 20000000 --waiting 5000000 --rounds 3`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for name, value := range map[string]int{
				"ids": o.ids, "buckets": o.buckets, "days": o.days, "rounds": o.rounds, "reports": o.reports, "clients": o.clients,
			} {
				if value < 1 {
					return usageError{fmt.Errorf("--%s must be 1 or more, and not %d", name, value)}
				}
			}
			if o.waiting < 0 {
				return usageError{fmt.Errorf("--waiting must be 0 or more, and not %d", o.waiting)}
			}
			figures, err := measureGrowth(c.Context(), o)
			if err != nil {
				return err
			}
			figures.ratios()
			if asJSON {
				return figures.writeJSON(os.Stdout)
			}
			figures.writeText(os.Stdout)
			return nil
		},
	}
	flags := c.Flags()
	flags.IntVar(&o.ids, "ids", 1_000_000, "how many report IDs the databases remember")
	flags.IntVar(&o.waiting, "waiting", 250_000, "how many reports wait at the Leader, for a Helper that is never ready")
	flags.IntVar(&o.buckets, "buckets", 10_000, "how many batch buckets are collected")
	flags.IntVar(&o.days, "days", 60, "of how many days the remembered reports are")
	flags.IntVar(&o.rounds, "rounds", 3, "how often the load is run on each")
	flags.IntVar(&o.reports, "reports", 50_000, "how many reports are uploaded in each round")
	flags.StringVar(&o.vdaf, "vdaf", "histogram:length=100", "the tasks' VDAF, as `collector task new` takes it")
	flags.IntVar(&o.clients, "clients", 8, "how many clients upload at the same time")
	flags.StringVar(&o.dir, "dir", "", "where to make the temporary directory for the databases (default: the system's)")
	flags.StringVar(&o.profile, "profile", "", "a directory for profiles of the grown databases' servers in the last round")
	flags.BoolVar(&asJSON, "json", false, "print the figures as one object")
	return c
}
