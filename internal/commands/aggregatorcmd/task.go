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

func (c *commands) task() *cobra.Command {
	return cli.Group("task", "Approve and list tasks", "The tasks that this "+c.role.String()+" takes part in.", c.addTask(), c.listTasks())
}

func (c *commands) addTask() *cobra.Command {
	var request api.AddTaskRequest
	var tokenFile, verifyKeyFile, peerTokenFile string
	long := `Approves the task of a task file, which the analyst made with collector task new.
Look at it first: its minimum batch size decides about people's privacy.

The other aggregator must be a peer already (see ` + pairCommand(c.role) + `). Adding a task
again changes nothing. A task with an ID of its own, for a peer without
Taskprov, needs the verification key, 32 random bytes in hexadecimal, the same
at both aggregators. A task whose single report takes more memory than
config.toml allows is refused.`
	if c.role == dap.RoleLeader {
		long += "\n\nThe last line is the token for the analyst. It is a secret."
	}
	command := &cobra.Command{
		Use: "add --dir DIR FILE", Short: "Approve a task", Long: long,
		Example: fmt.Sprintf("  %s task add --dir DIR delays.task", c.role),
		Args:    cli.OneArgument("the task file"),
		RunE: func(command *cobra.Command, args []string) error {
			var err error
			if request.File, err = cli.ReadFile(args[0], taskfile.MaxSize); err != nil {
				return err
			}
			for path, secret := range map[*string]*api.OperatorSecret{
				&tokenFile: &request.Token, &verifyKeyFile: &request.VerifyKey, &peerTokenFile: &request.PeerToken,
			} {
				if *path == "" {
					continue
				}
				line, err := cli.ReadSecretLine(*path)
				if err != nil {
					return err
				}
				*secret = api.OperatorSecret(line)
			}
			return c.operate(command, func(service api.OperatorService) error {
				result, err := service.AddTask(command.Context(), request)
				if err != nil {
					return err
				}
				return c.print(command, result, func() error { return printAdded(command.OutOrStdout(), result) })
			})
		},
	}
	flags := command.Flags()
	flags.StringVar(&request.Peer, "peer", "", "the name of the peer, if several could be the task's")
	flags.StringVar(&verifyKeyFile, "verify-key", "", "a file with the verification key, for a task with an ID of its own")
	flags.Uint8Var(&request.VerifyKeyID, "verify-key-id", 0, "the verification key's ID, for a task with an ID of its own")
	flags.StringVar(&peerTokenFile, "peer-token-file", "", "a file with the token between the aggregators, for a task with an ID of its own and a peer without pairing")
	if c.role == dap.RoleLeader {
		flags.StringVar(&tokenFile, "token-file", "", "a file with the collector's token, in place of a new one")
	}
	return c.withDir(command)
}

func pairCommand(role dap.Role) string {
	if role == dap.RoleLeader {
		return "leader pair"
	}
	return "helper invite"
}

func printAdded(w io.Writer, result api.AddTaskResult) error {
	verb := "Added"
	if result.Existed {
		verb = "There already:"
	}
	if _, err := fmt.Fprintf(w, "%s task %q, %s.\n", verb, result.Name, result.TaskID); err != nil || result.CollectorToken == "" {
		return err
	}
	_, err := fmt.Fprintf(w, "Give this token to the analyst, in secret:\n%s\n", string(result.CollectorToken))
	return err
}

func (c *commands) listTasks() *cobra.Command {
	return c.withDir(&cobra.Command{
		Use: "list --dir DIR", Short: "List the tasks", Args: cobra.NoArgs,
		Long:    "Lists the approved tasks.",
		Example: fmt.Sprintf("  %s task list --dir DIR", c.role),
		RunE: func(command *cobra.Command, _ []string) error {
			return c.operate(command, func(service api.OperatorService) error {
				status, err := service.Status(command.Context())
				if err != nil {
					return err
				}
				list := struct {
					Tasks []api.OperatorTask `json:"tasks"`
				}{status.Tasks}
				return c.print(command, list, func() error { return printTasks(command.OutOrStdout(), status.Tasks) })
			})
		},
	})
}

func printTasks(w io.Writer, tasks []api.OperatorTask) error {
	if len(tasks) == 0 {
		_, err := fmt.Fprintln(w, "No tasks.")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tVDAF\tBATCH MODE\tMINIMUM\tADDED\tID")
	for _, t := range tasks {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", t.Name, t.Vdaf, t.BatchMode, t.MinBatchSize, t.AddedAt.Format(time.DateTime), t.ID)
	}
	return table.Flush()
}
