package aggregatorcmd

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/operator"
)

func (c *commands) initialize() *cobra.Command {
	options := operator.InitOptions{Role: c.role}
	command := &cobra.Command{
		Use:   "init --dir DIR --url URL",
		Short: "Make a new directory",
		Long: fmt.Sprintf(`Makes a directory that holds everything this %s owns: config.toml, which you
may edit, the database, its key, and HPKE keys. It never overwrites anything.

URL is where clients and the other aggregator reach this one. Tasks name it
letter by letter, so it cannot be changed later. The server listens on its port
unless --listen says otherwise. It speaks TLS if it is given a certificate;
without one, let a proxy on this machine do it.

The file store.key opens the database: keep a copy apart from it. Set
%s to keep the key out of the directory.`, c.role, operator.KeyVariable),
		Example: fmt.Sprintf("  %s init --dir DIR --url https://%s.example/dap --tls-cert cert.pem --tls-key key.pem", c.role, c.role),
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := cli.RequireFlags(command, "dir", "url"); err != nil {
				return err
			}
			path := filepath.Clean(c.dir)
			directory, err := operator.Init(command.Context(), path, options)
			if err != nil {
				return err
			}
			return c.print(command, initialized{path, c.role.String(), directory.Config.URL, directory.Config.Listen}, func() error {
				_, err := fmt.Fprintf(command.OutOrStdout(), "Initialized %s: the %s at %s, which will listen on %s.\n", path, c.role, directory.Config.URL, directory.Config.Listen)
				return err
			})
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.URL, "url", "", "where others reach this aggregator")
	flags.StringVar(&options.Listen, "listen", "", "the address to listen on, HOST:PORT")
	flags.StringVar(&options.TLSCert, "tls-cert", "", "the certificate, a PEM file")
	flags.StringVar(&options.TLSKey, "tls-key", "", "the certificate's key, a PEM file")
	flags.BoolVar(&options.PostQuantum, "post-quantum", false, "offer clients X-Wing before X25519; reports become about 1 kB longer for each aggregator")
	flags.BoolVar(&options.AllowPlainHTTP, "allow-plain-http", false, "allow http URLs of other machines; only for tests in private networks")
	if c.role == dap.RoleHelper {
		flags.BoolVar(&options.Asynchronous, "asynchronous", false, "compute aggregation jobs in the background and let the leader poll")
	}
	return c.withDir(command)
}

// initialized is the object of init.
type initialized struct {
	Dir    string `json:"dir"`
	Role   string `json:"role"`
	URL    string `json:"url"`
	Listen string `json:"listen"`
}
