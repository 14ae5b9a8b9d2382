package processes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// stopPatience is how long a command may take to end after it was told to.
const stopPatience = 5 * time.Second

// Output is what a command has written.
type Output struct {
	Stdout, Stderr []byte
}

// LastLine returns the last line on the standard output: what a person passes on.
func (o Output) LastLine() string {
	text := strings.TrimRight(string(o.Stdout), "\r\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// Object decodes the last line on the standard output, a command's one object
// with --json, into v.
func (o Output) Object(v any) error {
	if err := json.Unmarshal([]byte(o.LastLine()), v); err != nil {
		return fmt.Errorf("the command's last line is not the object that was expected: %w", err)
	}
	return nil
}

// CommandError says that a command has failed.
type CommandError struct {
	Command string // its words, without flags and their values
	Status  int    // its exit status; -1 if it was killed
	Stderr  string
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("%s: exit status %d: %s", e.Command, e.Status, e.Stderr)
}

// Run runs a command to its end. One that fails is a *CommandError. When ctx
// ends the command is told to stop, and the error is ctx's.
func (p *Programs) Run(ctx context.Context, name string, args ...string) (Output, error) {
	return p.RunInput(ctx, nil, name, args...)
}

// RunInput is Run with a standard input.
func (p *Programs) RunInput(ctx context.Context, stdin []byte, name string, args ...string) (Output, error) {
	command := exec.CommandContext(ctx, p.path(name), args...)
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	command.SysProcAttr = attributes()
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = stopPatience
	err := command.Run()
	output := Output{stdout.Bytes(), stderr.Bytes()}
	if ctx.Err() != nil {
		return output, context.Cause(ctx)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return output, &CommandError{words(name, args), exit.ExitCode(), strings.TrimSpace(stderr.String())}
	}
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return output, fmt.Errorf("%s: %w", words(name, args), err)
	}
	return output, nil
}

// words are a command's name and those below it: "leader task add".
func words(name string, args []string) string {
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") {
			break
		}
		name += " " + arg
	}
	return name
}
