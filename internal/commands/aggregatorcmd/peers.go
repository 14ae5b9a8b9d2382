package aggregatorcmd

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/taskfile"
)

func (c *commands) peers() *cobra.Command {
	return cli.Group("peers", "List peers, and accept their tasks in advance",
		"The aggregators that this "+c.role.String()+" is paired with.", c.listPeers(), c.optIn(), c.optOut())
}

func (c *commands) listPeers() *cobra.Command {
	return c.withDir(&cobra.Command{
		Use: "list --dir DIR", Short: "List the peers", Args: cobra.NoArgs,
		Long:    "Lists the aggregators that this " + c.role.String() + " is paired with.",
		Example: fmt.Sprintf("  %s peers list --dir DIR", c.role),
		RunE: func(command *cobra.Command, _ []string) error {
			return c.operate(command, func(service api.OperatorService) error {
				peers, err := service.Peers(command.Context())
				if err != nil {
					return err
				}
				list := struct {
					Peers []api.OperatorPeer `json:"peers"`
				}{peers}
				return c.print(command, list, func() error { return printPeers(command.OutOrStdout(), peers) })
			})
		},
	})
}

func printPeers(w io.Writer, peers []api.OperatorPeer) error {
	if len(peers) == 0 {
		_, err := fmt.Fprintln(w, "No peers.")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PEER\tURL\tSINCE\tTASKS")
	for _, p := range peers {
		url, tasks := p.URL, "approved one by one"
		if url == "" {
			url = "any leader"
		}
		if p.OptIn {
			tasks = "accepted when advertised"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", p.Name, url, p.CreatedAt.Format(time.DateTime), tasks)
	}
	return table.Flush()
}

func (c *commands) optIn() *cobra.Command {
	var request api.OptInRequest
	var collectorOf, tokenFile string
	long := `Accepts, from now on, every task with this peer that one collector makes and that
is advertised as Taskprov defines, without approval of each. The minimum batch
size is the least that such a task may have.

The collector is that of a task file, any that it has made.`
	if c.role == dap.RoleLeader {
		long += " The last line is\nthe token for it, good for all these tasks. It is a secret."
	}
	command := &cobra.Command{
		Use: "opt-in --dir DIR --peer NAME --collector-of FILE --min-batch-size N", Short: "Accept tasks in advance", Long: long,
		Example: fmt.Sprintf("  %s peers opt-in --dir DIR --peer NAME --collector-of any.task --min-batch-size 100", c.role),
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := cli.RequireFlags(command, "peer", "collector-of", "min-batch-size"); err != nil {
				return err
			}
			text, err := cli.ReadFile(collectorOf, taskfile.MaxSize)
			if err != nil {
				return err
			}
			file, err := taskfile.Decode(text)
			if err != nil {
				return fmt.Errorf("%s: %w", collectorOf, err)
			}
			if request.CollectorHpkeConfig, err = file.CollectorHpkeConfig.Encode(); err != nil {
				return err
			}
			if tokenFile != "" {
				token, err := cli.ReadSecretLine(tokenFile)
				if err != nil {
					return err
				}
				request.Token = api.OperatorSecret(token)
			}
			return c.setOptIn(command, request)
		},
	}
	flags := command.Flags()
	flags.StringVar(&request.Peer, "peer", "", "the peer's name")
	flags.StringVar(&collectorOf, "collector-of", "", "a task file of the collector whose tasks are accepted")
	flags.Uint64Var(&request.MinBatchSize, "min-batch-size", 0, "the least minimum batch size of a task that is accepted")
	if c.role == dap.RoleLeader {
		flags.StringVar(&tokenFile, "token-file", "", "a file with the collector's token, in place of a new one")
	}
	return c.withDir(command)
}

func (c *commands) optOut() *cobra.Command {
	request := api.OptInRequest{Off: true}
	command := &cobra.Command{
		Use: "opt-out --dir DIR --peer NAME", Short: "No longer accept tasks in advance", Args: cobra.NoArgs,
		Long:    "Ends what opt-in has begun. Tasks that were accepted go on.",
		Example: fmt.Sprintf("  %s peers opt-out --dir DIR --peer NAME", c.role),
		RunE: func(command *cobra.Command, _ []string) error {
			if err := cli.RequireFlags(command, "peer"); err != nil {
				return err
			}
			return c.setOptIn(command, request)
		},
	}
	command.Flags().StringVar(&request.Peer, "peer", "", "the peer's name")
	return c.withDir(command)
}

func (c *commands) setOptIn(command *cobra.Command, request api.OptInRequest) error {
	return c.operate(command, func(service api.OperatorService) error {
		result, err := service.OptIn(command.Context(), request)
		if err != nil {
			return err
		}
		return c.print(command, result, func() error { return printOptIn(command.OutOrStdout(), result) })
	})
}

func printOptIn(w io.Writer, result api.OptInResult) error {
	what := "are approved one by one"
	if result.Peer.OptIn {
		what = "are accepted when they are advertised"
	}
	if _, err := fmt.Fprintf(w, "Tasks with %q %s.\n", result.Peer.Name, what); err != nil || result.CollectorToken == "" {
		return err
	}
	_, err := fmt.Fprintf(w, "Give this token to the analyst, in secret:\n%s\n", string(result.CollectorToken))
	return err
}
