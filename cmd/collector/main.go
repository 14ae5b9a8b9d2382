// Command collector makes tasks of DAP and collects their results: see collector
// --help.
package main

import (
	"github.com/twofold-dap/twofold/internal/cli"
	"github.com/twofold-dap/twofold/internal/commands/collectorcmd"
)

func main() { cli.Main(collectorcmd.New()) }
