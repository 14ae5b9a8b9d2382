package aggregatorcmd

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/cli"
)

func (c *commands) status() *cobra.Command {
	return c.withDir(&cobra.Command{
		Use: "status --dir DIR", Short: "Show tasks, keys and peers", Args: cobra.NoArgs,
		Long:    "Shows the tasks of this " + c.role.String() + " with their numbers of reports, its HPKE keys and\nits peers.",
		Example: fmt.Sprintf("  %s status --dir DIR", c.role),
		RunE: func(command *cobra.Command, _ []string) error {
			return c.operate(command, func(service api.OperatorService) error {
				status, err := service.Status(command.Context())
				if err != nil {
					return err
				}
				return c.print(command, status, func() error { return c.printStatus(command.OutOrStdout(), status) })
			})
		},
	})
}

func (c *commands) printStatus(w io.Writer, s api.OperatorStatus) error {
	running := "not running"
	if s.Listening != "" {
		running = "listening on " + s.Listening
	}
	if s.StartedAt != nil {
		running += " since " + s.StartedAt.Format(time.DateTime)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "The %s at %s, %s.\n", s.Role, s.URL, running)
	if storage := s.Storage; storage.Since != nil {
		fmt.Fprintf(table, "The database is %s since %s: %s. Remedy: %s.\n", storage.State, storage.Since.Format(time.DateTime), storage.Problem, storage.Remedy)
	}
	if len(s.Tasks) > 0 {
		fmt.Fprintln(table, "\nTASK\tVDAF\t"+c.countsHeading()+"\tREJECTED")
	}
	for _, t := range s.Tasks {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", t.Name, t.Vdaf, c.countsText(t.Counts), rejectedText(t.Counts.Rejected))
	}
	printFailedBatches(table, s.Tasks)
	fmt.Fprintln(table, "\nHPKE KEY\tSUITE\tMADE\tOFFERED")
	for _, k := range s.HpkeKeys {
		offered := "yes"
		if k.RetiredAt != nil {
			offered = "until " + k.RetiredAt.Format(time.DateTime)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\n", k.ID, k.Suite, k.CreatedAt.Format(time.DateTime), offered)
	}
	if len(s.Peers) > 0 {
		fmt.Fprintln(table, "\nPEER\tURL\tSINCE")
	}
	for _, p := range s.Peers {
		url := p.URL
		if url == "" {
			url = "any leader"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", p.Name, url, p.CreatedAt.Format(time.DateTime))
	}
	return table.Flush()
}

// printFailedBatches lists the batches whose collection has failed, if there are any.
func printFailedBatches(w io.Writer, tasks []api.OperatorTask) {
	heading := "\nFAILED BATCH\tTASK\tREPORTS\tFAILURES\tLAST\tREASON\n"
	for _, t := range tasks {
		for _, b := range t.FailedBatches {
			fmt.Fprintf(w, heading+"%s\t%s\t%d\t%d\t%s\t%s\n", b.Batch, t.Name, b.Reports, b.Failures, b.FailedAt.Format(time.DateTime), b.LastFailure)
			heading = ""
		}
	}
}

func (c *commands) countsHeading() string {
	if c.role == dap.RoleLeader {
		return "WAITING\tIN JOBS\tQUARANTINED\tAGGREGATED\tCOLLECTED\tEXPIRED"
	}
	return "AGGREGATED\tCOLLECTED\tEXPIRED"
}

func (c *commands) countsText(n api.OperatorCounts) string {
	if c.role == dap.RoleLeader {
		return fmt.Sprintf("%d\t%d\t%d\t%d\t%d\t%d", n.Waiting, n.InJobs, n.Quarantined, n.Aggregated, n.Collected, n.Expired)
	}
	return fmt.Sprintf("%d\t%d\t%d", n.Aggregated, n.Collected, n.Expired)
}

func rejectedText(rejected map[string]uint64) string {
	var texts []string
	for _, reason := range slices.Sorted(maps.Keys(rejected)) {
		if rejected[reason] > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", rejected[reason], reason))
		}
	}
	if len(texts) == 0 {
		return "0"
	}
	return strings.Join(texts, ", ")
}

func (c *commands) check() *cobra.Command {
	return c.withDir(&cobra.Command{
		Use: "check --dir DIR", Short: "Look for damage in the database", Args: cobra.NoArgs,
		Long: `Looks through the whole database for anything that must not be: a report that is
counted twice, a batch whose count is not its reports', a job without its
reports. It changes nothing. The exit status is 1 if it finds something.`,
		Example: fmt.Sprintf("  %s check --dir DIR", c.role),
		RunE: func(command *cobra.Command, _ []string) error {
			return c.operate(command, func(service api.OperatorService) error {
				violations, err := service.Check(command.Context())
				if err != nil {
					return err
				}
				found := struct {
					Violations []api.OperatorViolation `json:"violations"`
				}{violations}
				if err := c.print(command, found, func() error { return printViolations(command.OutOrStdout(), violations) }); err != nil {
					return err
				}
				if len(violations) > 0 {
					return cli.ErrReported
				}
				return nil
			})
		},
	})
}

func printViolations(w io.Writer, violations []api.OperatorViolation) error {
	if len(violations) == 0 {
		_, err := fmt.Fprintln(w, "Nothing is wrong.")
		return err
	}
	for _, v := range violations {
		if _, err := fmt.Fprintf(w, "%s: %s\n", v.Invariant, v.Detail); err != nil {
			return err
		}
	}
	return nil
}
