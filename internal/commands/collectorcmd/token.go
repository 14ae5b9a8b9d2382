package collectorcmd

import (
	"fmt"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/collector/wire"
	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/collectordir"
)

func (c *commands) token() *cobra.Command {
	return cli.Group("token", "Make, list and revoke analysts' tokens", "What analysts present to collector serve.", c.newToken(), c.listTokens(), c.deleteToken())
}

func (c *commands) newToken() *cobra.Command {
	var name, scope string
	command := &cobra.Command{
		Use:   "new --dir DIR --name NAME --scope read|collect|administer",
		Short: "Make a token",
		Long: `Makes a token for an analyst. It is printed once, and only a digest of it is kept.

read allows to see tasks and results; collect also to collect and to change
schedules; administer also to make tasks and tokens.`,
		Example: "  collector token new --dir C --name ann --scope read",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := cli.RequireFlags(command, "dir", "name", "scope"); err != nil {
				return err
			}
			return c.withClient(command, func(client *collectordir.Client) error {
				var made wire.Token
				if err := client.Do(command.Context(), "POST", "/api/v1/tokens", map[string]string{"name": name, "scope": scope}, &made); err != nil {
					return err
				}
				return c.print(command, made, func() error {
					_, err := fmt.Fprintln(command.OutOrStdout(), made.Token)
					return err
				})
			})
		},
	}
	command.Flags().StringVar(&name, "name", "", "whose it is, such as ann")
	command.Flags().StringVar(&scope, "scope", "", "read, collect or administer")
	return c.withDir(command)
}

func (c *commands) listTokens() *cobra.Command {
	return c.withDir(&cobra.Command{
		Use: "list --dir DIR", Short: "List the tokens", Long: "Lists whose tokens there are. The tokens themselves are not known.",
		Example: "  collector token list --dir C", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return c.withClient(command, func(client *collectordir.Client) error {
				var all wire.Tokens
				if err := client.Get(command.Context(), "/api/v1/tokens", &all); err != nil {
					return err
				}
				return c.print(command, all, func() error {
					table := tabwriter.NewWriter(command.OutOrStdout(), 0, 0, 2, ' ', 0)
					fmt.Fprintln(table, "NAME\tSCOPE\tMADE")
					for _, t := range all.Tokens {
						fmt.Fprintf(table, "%s\t%s\t%s\n", t.Name, t.Scope, t.CreatedAt.Format(time.RFC3339))
					}
					return table.Flush()
				})
			})
		},
	})
}

func (c *commands) deleteToken() *cobra.Command {
	return c.withDir(&cobra.Command{
		Use: "delete --dir DIR NAME", Short: "Revoke a token", Long: "Revokes the token of that name, at once.",
		Example: "  collector token delete --dir C ann", Args: cli.OneArgument("the token's name"),
		RunE: func(command *cobra.Command, args []string) error {
			return c.withClient(command, func(client *collectordir.Client) error {
				if err := client.Do(command.Context(), "DELETE", "/api/v1/tokens/"+url.PathEscape(args[0]), nil, nil); err != nil {
					return err
				}
				return c.print(command, map[string]string{"deleted": args[0]}, func() error {
					_, err := fmt.Fprintf(command.OutOrStdout(), "The token of %s is revoked.\n", args[0])
					return err
				})
			})
		},
	})
}
