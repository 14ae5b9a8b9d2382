package aggregatorcmd

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/operator"
)

func (c *commands) restore() *cobra.Command {
	var from, until string
	command := &cobra.Command{
		Use: "restore --dir DIR --from FILE", Short: "Put a copy of the database into place", Args: cobra.NoArgs,
		Long: fmt.Sprintf(`Puts a copy that %s backup has made in the place of the database. The
server must be stopped. The copy is checked first, and not changed; the database
that is there is kept beside it.

A copy does not know what was counted and released after it was made. So that
nothing is counted twice and nothing is released twice, whatever could have been
is refused from now on: reports of up to ten minutes from now, rounded up to
each task's time precision, and batches of which any part is before that. What
was in the copy and not collected is given up. Later reports count as ever. If
you know that no report was counted with a time after some earlier one, say so
with --until; a time that is too early lets reports be counted twice.`, c.role),
		Example: fmt.Sprintf("  %s restore --dir DIR --from %s-monday.db", c.role, c.role),
		RunE: func(command *cobra.Command, _ []string) error {
			if err := cli.RequireFlags(command, "from"); err != nil {
				return err
			}
			var limit time.Time
			if until != "" {
				var err error
				if limit, err = time.Parse(time.RFC3339, until); err != nil {
					return cli.Usagef("--until %q is not a time such as 2026-03-01T12:00:00Z", until)
				}
			}
			directory, err := c.directory(command)
			if err != nil {
				return err
			}
			result, err := directory.Restore(command.Context(), from, limit)
			if err != nil {
				return err
			}
			return c.print(command, result, func() error { return printRestored(command.OutOrStdout(), from, result) })
		},
	}
	command.Flags().StringVar(&from, "from", "", "the copy")
	command.Flags().StringVar(&until, "until", "", "a time after that of every report that was counted since the copy was made")
	return c.withDir(command)
}

func printRestored(w io.Writer, from string, r operator.RestoreResult) error {
	of := ""
	if r.TakenAt != nil {
		of = ", a copy of " + r.TakenAt.Format(time.DateTime) + " UTC"
	}
	kept := ""
	if r.Kept != "" {
		kept = fmt.Sprintf("The database that was there is %s.\n", r.Kept)
	}
	_, err := fmt.Fprintf(w, `Restored %s%s, with %s.
Reports of before %s UTC are refused, rounded up to each task's
time precision, and batches of before then count as collected.
Given up: %s of the copy that had not been collected.
%s`, from, of, counted(r.Tasks, "task"), r.Until.Format(time.DateTime), counted(r.GivenUp, "report"), kept)
	return err
}

// counted is a number of things: "1 task", "2 tasks".
func counted[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
