// Package clientcmd is the command client.
//
// Measurements are secret: no error, and nothing that the command prints, holds
// one.
package clientcmd

import (
	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/internal/cli"
)

// New returns the command.
func New() *cobra.Command {
	return cli.Group("client", "Report measurements to a task of DAP", `The client reports measurements to a task. It splits each into two shares, and
encrypts one to each aggregator: neither sees a measurement.

  client upload --task delays.task --csv flights.csv --column delay_minutes`,
		newUpload())
}
