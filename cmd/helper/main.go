// Command helper runs a Helper of DAP: see helper --help.
package main

import (
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/commands/aggregatorcmd"
)

func main() { cli.Main(aggregatorcmd.New(dap.RoleHelper)) }
