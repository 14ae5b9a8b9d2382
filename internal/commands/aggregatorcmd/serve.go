package aggregatorcmd

import (
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/operator"
)

func (c *commands) serve() *cobra.Command {
	return c.withDir(&cobra.Command{
		Use:   "serve --dir DIR",
		Short: "Run the server",
		Long: `Runs the server until it is interrupted or terminated. Then it finishes what it
has begun, and ends; a second interrupt ends it at once, which loses nothing.

It keeps to the memory that config.toml allows (memory in the section limits,
512MB by default; GOMEMLIMIT in the environment replaces the part of it that
the Go runtime keeps to, and GOGC how much garbage gathers there). What does
not fit it refuses, and says when to come again.

It logs to standard error, as config.toml says. The other commands operate it
while it runs, through a socket in the directory that only you can open.`,
		Example: fmt.Sprintf("  %s serve --dir DIR", c.role),
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			directory, err := c.directory(command)
			if err != nil {
				return err
			}
			return directory.Serve(command.Context(), operator.ServeOptions{
				Log: command.ErrOrStderr(),
				Ready: func(address net.Addr) {
					ready := serving{c.role.String(), directory.Config.URL, address.String()}
					if c.json {
						_ = cli.PrintJSON(command.OutOrStdout(), ready)
					}
				},
			})
		},
	})
}

// serving is the object of serve, printed once requests are answered.
type serving struct {
	Role    string `json:"role"`
	URL     string `json:"url"`
	Address string `json:"address"`
}
