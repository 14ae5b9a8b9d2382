// Command client reports measurements to a task of DAP: see client --help.
package main

import (
	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/commands/clientcmd"
)

func main() { cli.Main(clientcmd.New()) }
