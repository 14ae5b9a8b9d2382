package aggregatorcmd

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/internal/cli"
)

func (c *commands) privacy() *cobra.Command {
	var request api.PrivacyRequest
	command := &cobra.Command{
		Use: "privacy --dir DIR TASK", Short: "Show what a task's results have told about people",
		Long: `Shows the differential privacy of a task: what noise this ` + c.role.String() + ` adds to its
results, what its collected batches have cost a client, and what is left of the
budget. When it is spent, no more is collected. TASK is the task's ID or name.

A level of rho is also shown as (epsilon, delta).`,
		Example: fmt.Sprintf("  %s privacy --dir DIR delays", c.role),
		Args:    cli.OneArgument("the task"),
		RunE: func(command *cobra.Command, args []string) error {
			request.Task = args[0]
			return c.operate(command, func(service api.OperatorService) error {
				privacy, err := service.Privacy(command.Context(), request)
				if err != nil {
					return err
				}
				return c.print(command, privacy, func() error { return printPrivacy(command.OutOrStdout(), &privacy) })
			})
		},
	}
	command.Flags().Float64Var(&request.Delta, "delta", 0, "the delta of (epsilon, delta); 1e-9 if left out")
	return c.withDir(command)
}

func printPrivacy(w io.Writer, p *api.OperatorPrivacy) error {
	symbol := "ε"
	if p.Mechanism == "discrete-gaussian" {
		symbol = "ρ"
	}
	asEpsilon := func(epsilon float64) string {
		if p.Delta == 0 {
			return ""
		}
		return fmt.Sprintf(", which is ε = %.4g with δ = %g", epsilon, p.Delta)
	}
	left := "for any number of batches"
	if p.BatchesLeft != nil {
		left = fmt.Sprintf("for %d more batches", *p.BatchesLeft)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "task\t%s, %s\n", p.Name, p.Task)
	fmt.Fprintf(table, "noise\t%s\n", p.Noise)
	fmt.Fprintf(table, "standard error\t%.4g for each number of a result, from both aggregators\n", p.StandardError)
	fmt.Fprintf(table, "level\t%s = %s for each report\n", symbol, p.Level)
	fmt.Fprintf(table, "clients\tup to %d reports each, %d in one batch\n", p.ReportsPerClient, p.ReportsPerBatch)
	fmt.Fprintf(table, "batches\t%d collected, of up to %d reports\n", p.Batches, p.MaxBatchSize)
	if p.AssumedBatches > 0 {
		fmt.Fprintf(table, "\t%d more may have been, before the database was restored\n", p.AssumedBatches)
	}
	fmt.Fprintf(table, "budget\t%s = %s for each client%s\n", symbol, p.Budget, asEpsilon(p.EpsilonBudget))
	fmt.Fprintf(table, "spent\t%s = %s%s\n", symbol, p.Spent, asEpsilon(p.EpsilonSpent))
	fmt.Fprintf(table, "left\t%s = %s, %s\n", symbol, p.Left, left)
	return table.Flush()
}
