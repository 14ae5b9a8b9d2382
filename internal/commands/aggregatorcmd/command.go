// Package aggregatorcmd is the commands leader and helper, which are one but for
// their role.
//
// Invitations and tokens are printed when they are made, to be passed on; they
// are in no error and in no log.
package aggregatorcmd

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/operator"
)

// New returns the command of a role.
func New(role dap.Role) *cobra.Command {
	c := &commands{role: role}
	all := []*cobra.Command{c.initialize()}
	about := `The leader takes reports from clients, verifies them together with a helper, and
answers the collector. Neither of the two sees a measurement.

To set one up:

  leader init --dir L --url https://leader.example/
  leader pair --dir L INVITATION      # the line that the helper's operator gave you
  leader serve --dir L                # runs until it is interrupted
  leader task add --dir L FILE        # approves a task; gives the collector's token`
	if role == dap.RoleHelper {
		about = `The helper verifies reports together with a leader. Neither of the two sees a
measurement.

To set one up:

  helper init --dir H --url https://helper.example/
  helper invite --dir H               # give the line to the leader's operator, in secret
  helper serve --dir H                # runs until it is interrupted
  helper task add --dir H FILE        # approves a task`
		all = append(all, c.invite())
	} else {
		all = append(all, c.pair())
	}
	all = append(all, c.serve(), c.task(), c.peers(), c.keys(), c.status(), c.check(), c.jobs(), c.privacy(), c.backup(), c.restore())
	root := cli.Group(role.String(), fmt.Sprintf("Run a %s of DAP", role), about, all...)
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print one JSON object, on the last line")
	return root
}

// commands is what the commands of a role share.
type commands struct {
	role dap.Role
	dir  string
	json bool
}

// withDir adds the flag --dir.
func (c *commands) withDir(command *cobra.Command) *cobra.Command {
	command.Flags().StringVar(&c.dir, "dir", "", "the directory that holds everything this "+c.role.String()+" owns")
	return command
}

func (c *commands) directory(command *cobra.Command) (*operator.Directory, error) {
	if err := cli.RequireFlags(command, "dir"); err != nil {
		return nil, err
	}
	return operator.OpenDirectory(filepath.Clean(c.dir), c.role)
}

// operate runs f with the running server, or with the database if none runs.
func (c *commands) operate(command *cobra.Command, f func(api.OperatorService) error) (err error) {
	directory, err := c.directory(command)
	if err != nil {
		return err
	}
	service, closeService, err := directory.Connect(command.Context())
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := closeService(); err == nil {
			err = closeErr
		}
	}()
	return f(service)
}

// print prints an object with --json, else calls text.
func (c *commands) print(command *cobra.Command, object any, text func() error) error {
	if c.json {
		return cli.PrintJSON(command.OutOrStdout(), object)
	}
	return text()
}
