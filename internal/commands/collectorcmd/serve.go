package collectorcmd

import (
	"net"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/collectordir"
)

// directory returns the directory of --dir with its key.
func (c *commands) directory(command *cobra.Command) (*collectordir.Directory, error) {
	if err := cli.RequireFlags(command, "dir"); err != nil {
		return nil, err
	}
	dir := filepath.Clean(c.dir)
	keypair, err := readKeypair(dir)
	if err != nil {
		return nil, err
	}
	return &collectordir.Directory{Path: dir, Keypair: keypair}, nil
}

func (c *commands) serve() *cobra.Command {
	var options collectordir.ServeOptions
	var allowPlain bool
	command := &cobra.Command{
		Use:   "serve --dir DIR",
		Short: "Run the collector as a service",
		Long: `Keeps the directory's tasks, collects them on their schedules, and answers
analysts at --listen, a page and an API, until it is interrupted or terminated.
It can be killed at any time: what was begun goes on at the next start, nothing
is collected twice, and nothing is lost.

Analysts need tokens, which collector token new makes. Without --tls-cert and
--tls-key it speaks plain http: let it listen on this machine only, behind a
proxy that speaks TLS, and say --behind-tls.

It logs to standard error. The other commands work while it runs.`,
		Example: "  collector serve --dir C --listen 127.0.0.1:9010",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			directory, err := c.directory(command)
			if err != nil {
				return err
			}
			directory.AllowPlain = allowPlain
			options.Log = command.ErrOrStderr()
			options.Ready = func(address net.Addr) {
				if c.json {
					_ = cli.PrintJSON(command.OutOrStdout(), struct {
						Address string `json:"address"`
					}{address.String()})
				}
			}
			return directory.Serve(command.Context(), options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.Listen, "listen", "127.0.0.1:9010", "where to answer analysts, HOST:PORT")
	flags.StringVar(&options.CertificateFile, "tls-cert", "", "a PEM file with the server's certificate")
	flags.StringVar(&options.KeyFile, "tls-key", "", "a PEM file with its key")
	flags.BoolVar(&options.BehindTLS, "behind-tls", false, "browsers come through a proxy that speaks TLS: cookies are for https alone")
	flags.BoolVar(&allowPlain, "allow-plain-http", false, "allow leaders with an http URL on other machines; only for tests in private networks")
	return c.withDir(command)
}

// withClient runs f with a client of the directory's API, of the running service or of the database.
func (c *commands) withClient(command *cobra.Command, f func(*collectordir.Client) error) (err error) {
	directory, err := c.directory(command)
	if err != nil {
		return err
	}
	client, done, err := directory.Connect(command.Context())
	if err != nil {
		return err
	}
	defer func() {
		if closing := done(); err == nil {
			err = closing
		}
	}()
	return f(client)
}
