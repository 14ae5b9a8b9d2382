package aggregatorcmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/operator"
)

func (c *commands) backup() *cobra.Command {
	var out string
	command := &cobra.Command{
		Use: "backup --dir DIR --out FILE", Short: "Copy the database of a running server", Args: cobra.NoArgs,
		Long: fmt.Sprintf(`Writes a consistent copy of the database to a file that must not exist yet. The
server goes on meanwhile; it also works while none runs.

The copy is useless without the directory's key: keep store.key, or what is in
%s, and config.toml as well, apart from the copy. Put it back with
%s restore, and never with cp: see %s restore --help.`, operator.KeyVariable, c.role, c.role),
		Example: fmt.Sprintf("  %s backup --dir DIR --out %s-monday.db", c.role, c.role),
		RunE: func(command *cobra.Command, _ []string) error {
			if err := cli.RequireFlags(command, "out"); err != nil {
				return err
			}
			return c.operate(command, func(service api.OperatorService) error {
				size, err := operator.Backup(command.Context(), service, out)
				if err != nil {
					return err
				}
				done := struct {
					File  string `json:"file"`
					Bytes int64  `json:"bytes"`
				}{out, size}
				return c.print(command, done, func() error {
					_, err := fmt.Fprintf(command.OutOrStdout(), "Wrote %s, %d bytes. It opens only with this directory's key.\n", out, size)
					return err
				})
			})
		},
	}
	command.Flags().StringVar(&out, "out", "", "the file to write")
	return c.withDir(command)
}
