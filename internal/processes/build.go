package processes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const modulePath = "github.com/twofold-dap/twofold"

// commands are what Build builds.
var commands = []string{"leader", "helper", "client", "collector"}

// ErrNoSource says that the module's source, to build the commands from, was not
// found.
var ErrNoSource = errors.New("the source of " + modulePath + " was not found; run this inside of its checkout")

// Programs are the built commands.
type Programs struct {
	dir string
}

// Build builds the commands into dir, which must exist, with further flags of go
// build such as -race. It needs the go command and the module's source.
func Build(ctx context.Context, dir string, flags ...string) (*Programs, error) {
	root, err := ModuleRoot(ctx)
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	args := append([]string{"build", "-o", dir + string(filepath.Separator)}, flags...)
	for _, name := range commands {
		args = append(args, "./cmd/"+name)
	}
	build := exec.CommandContext(ctx, "go", args...)
	build.Dir = root
	var output bytes.Buffer
	build.Stdout, build.Stderr = &output, &output
	if err := build.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("building the commands: %w\n%s", err, bytes.TrimSpace(output.Bytes()))
	}
	return &Programs{dir}, nil
}

// path returns the path of a built command.
func (p *Programs) path(name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(p.dir, name)
}

// ModuleRoot returns the directory of the module's source: the one around the
// working directory, else the one that this program was built from.
func ModuleRoot(ctx context.Context) (string, error) {
	if isOurs(ctx, "") {
		list := exec.CommandContext(ctx, "go", "env", "GOMOD")
		output, err := list.Output()
		if err != nil {
			return "", fmt.Errorf("go env GOMOD: %w", err)
		}
		return filepath.Dir(strings.TrimSpace(string(output))), nil
	}
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		root := filepath.Dir(filepath.Dir(filepath.Dir(file)))
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil && isOurs(ctx, root) {
			return root, nil
		}
	}
	return "", ErrNoSource
}

// isOurs tells whether a directory is inside of this module.
func isOurs(ctx context.Context, dir string) bool {
	list := exec.CommandContext(ctx, "go", "list", "-m")
	list.Dir = dir
	output, err := list.Output()
	return err == nil && strings.TrimSpace(string(output)) == modulePath
}
