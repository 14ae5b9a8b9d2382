// Package collectorcmd is the command collector.
//
// The collector's private key and tokens are secret; they are in no error.
package collectorcmd

import (
	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/internal/cli"
)

// New returns the command.
func New() *cobra.Command {
	c := &commands{}
	root := cli.Group("collector", "Make tasks of DAP and collect their results", `The collector is the analyst's side: it makes tasks, and obtains their aggregate
results. Only here is anything ever put together again.

  collector init --dir C
  collector task new --dir C --leader URL --helper URL --vdaf histogram:length=20 \
      --min-batch-size 100 --time-precision 1h --out delays.task

Give delays.task to the operators of both aggregators and to the clients. Then,
with the token that the leader's operator gives you:

  collector collect --dir C --task delays.task --token TOKEN --last 24h

Or let it collect by itself, and answer analysts over HTTP:

  collector task token --dir C delays --token TOKEN
  collector task schedule --dir C delays --every hour
  collector token new --dir C --name ann --scope read
  collector serve --dir C`,
		c.initialize(), c.task(), c.plan(), c.collect(), c.cancel(), c.serve(), c.token(), c.tasks(), c.status(), c.export())
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print one JSON object, on the last line")
	return root
}

// commands is what the commands share.
type commands struct {
	dir  string
	json bool
}

func (c *commands) withDir(command *cobra.Command) *cobra.Command {
	command.Flags().StringVar(&c.dir, "dir", "", "the directory that holds the collector's key")
	return command
}

// print prints an object with --json, else calls text.
func (c *commands) print(command *cobra.Command, object any, text func() error) error {
	if c.json {
		return cli.PrintJSON(command.OutOrStdout(), object)
	}
	return text()
}
