package aggregatorcmd

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/internal/cli"
)

func (c *commands) invite() *cobra.Command {
	var request api.InviteRequest
	command := &cobra.Command{
		Use:   "invite --dir DIR [--leader URL] [--name NAME]",
		Short: "Make an invitation for a leader",
		Long: `Prints an invitation: one line, the last, for the operator of a leader. It is a
secret, from which both derive the keys of all their tasks: send it where
nobody else can read it. Make one for each leader.

With --leader the invitation is for the leader with that URL; tasks of other
leaders will not use it. The helper keeps only a hash of the leader's token.`,
		Example: "  helper invite --dir H --leader https://leader.example/",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return c.operate(command, func(service api.OperatorService) error {
				result, err := service.Invite(command.Context(), request)
				if err != nil {
					return err
				}
				return c.print(command, result, func() error {
					_, err := fmt.Fprintf(command.OutOrStdout(), "Peer %q. Give this secret line to the leader's operator, for leader pair:\n%s\n", result.Peer.Name, string(result.Invitation))
					return err
				})
			})
		},
	}
	command.Flags().StringVar(&request.Leader, "leader", "", "the URL of the one leader who may use the invitation")
	command.Flags().StringVar(&request.Name, "name", "", "what to call this leader here")
	return c.withDir(command)
}

func (c *commands) pair() *cobra.Command {
	var request api.PairRequest
	command := &cobra.Command{
		Use:   "pair --dir DIR INVITATION",
		Short: "Take a helper's invitation",
		Long: `Takes the invitation that the operator of a helper has made with helper invite.
With - it is read from standard input, which keeps it out of the shell's
history. Taking it again changes nothing.`,
		Example: "  leader pair --dir L - < invitation",
		Args:    cli.OneArgument("the invitation"),
		RunE: func(command *cobra.Command, args []string) error {
			line := args[0]
			if line == "-" {
				var err error
				if line, err = readLine(command.InOrStdin()); err != nil {
					return err
				}
			}
			request.Invitation = api.OperatorSecret(line)
			return c.operate(command, func(service api.OperatorService) error {
				peer, err := service.Pair(command.Context(), request)
				if err != nil {
					return err
				}
				return c.print(command, peer, func() error {
					_, err := fmt.Fprintf(command.OutOrStdout(), "Paired with the helper at %s, here called %q.\n", peer.URL, peer.Name)
					return err
				})
			})
		},
	}
	command.Flags().StringVar(&request.Name, "name", "", "what to call this helper here")
	return c.withDir(command)
}

// readLine reads the last line that is not empty, so that the whole output of
// helper invite may be passed on.
func readLine(r io.Reader) (string, error) {
	const most = 64 << 10
	scanner := bufio.NewScanner(io.LimitReader(r, most))
	line := ""
	for scanner.Scan() {
		if scanner.Text() != "" {
			line = scanner.Text()
		}
	}
	if err := scanner.Err(); err != nil {
		return "", err
	}
	if line == "" {
		return "", errors.New("standard input is empty; it must hold an invitation")
	}
	return line, nil
}

func (c *commands) keys() *cobra.Command {
	var request api.RotateHpkeKeyRequest
	rotate := &cobra.Command{
		Use:   "rotate --dir DIR [--suite SUITE]",
		Short: "Replace an HPKE key",
		Long: `Makes a new HPKE key and offers it to clients in place of the one with the same
algorithms. Reports that clients have encrypted to the old one still open.`,
		Example: fmt.Sprintf("  %s keys rotate --dir DIR --suite xwing-sha256-aes128gcm", c.role),
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return c.operate(command, func(service api.OperatorService) error {
				key, err := service.RotateHpkeKey(command.Context(), request)
				if err != nil {
					return err
				}
				return c.print(command, key, func() error {
					_, err := fmt.Fprintf(command.OutOrStdout(), "New HPKE key %d, %s.\n", key.ID, key.Suite)
					return err
				})
			})
		},
	}
	rotate.Flags().StringVar(&request.Suite, "suite", "", "its algorithms; those of the key that is offered first if left out")
	return cli.Group("keys", "Work with HPKE keys", "The HPKE keys that clients encrypt to.", c.withDir(rotate))
}
