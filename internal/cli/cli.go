// Package cli is what the commands have in common: exit statuses, errors in one
// line, and results as JSON.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses of every command.
const (
	ExitDone     = 0
	ExitFailed   = 1
	ExitUsage    = 2
	ExitNotReady = 75 // try again later
)

// UsageError says that a command was typed wrongly.
type UsageError struct{ Problem string }

func (e *UsageError) Error() string { return e.Problem }

// Usagef makes a *UsageError.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// NotReadyError says that what was asked for is not ready yet.
type NotReadyError struct{ Err error }

func (e *NotReadyError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *NotReadyError) Unwrap() error { return e.Err }

// ErrReported is the error of a command that has said already what is wrong.
var ErrReported = errors.New("failed")

// errInterrupted is why a command's context ends when its user interrupts it.
var errInterrupted = errors.New("interrupted")

// Main runs a command with the program's arguments and exits. The first interrupt or
// termination signal ends the command's context, the second the program.
func Main(command *cobra.Command) {
	os.Exit(mainStatus(command))
}

func mainStatus(command *cobra.Command) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		if _, ok := <-signals; ok {
			signal.Stop(signals)
			cancel(errInterrupted)
		}
	}()
	command.SetArgs(identifiersLast(os.Args[1:]))
	return Run(ctx, command)
}

// Run runs a command, says on its standard error what went wrong, in one line, and
// returns the exit status.
func Run(ctx context.Context, command *cobra.Command) int {
	started := false
	command.SilenceErrors, command.SilenceUsage = true, true
	command.CompletionOptions.DisableDefaultCmd = true
	command.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	ran, err := command.ExecuteContextC(ctx)
	if err == nil {
		return ExitDone
	}
	if errors.Is(err, ErrReported) {
		return ExitFailed
	}
	_, usage := errors.AsType[*UsageError](err)
	usage = usage || !started
	fmt.Fprintf(command.ErrOrStderr(), "%s: %s\n", ran.CommandPath(), OneLine(err.Error()))
	if usage {
		fmt.Fprintf(command.ErrOrStderr(), "Run %s --help for how to use it.\n", ran.CommandPath())
		return ExitUsage
	}
	if _, notReady := errors.AsType[*NotReadyError](err); notReady {
		return ExitNotReady
	}
	return ExitFailed
}

// OneLine makes one line of a text.
func OneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// Group makes a command that only has others below it.
func Group(use, short, long string, commands ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return Usagef("there is no command %q", args[0])
			}
			return nil
		},
		// The flags of a command that does not exist are not what is wrong.
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
		RunE:               func(*cobra.Command, []string) error { return Usagef("name one of its commands") },
	}
	group.AddCommand(commands...)
	return group
}

// OneArgument allows exactly one argument, and says what it is.
func OneArgument(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return Usagef("%d arguments are given; give one, %s", len(args), what)
		}
		return nil
	}
}

// PrintJSON writes one object in one line.
func PrintJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// RequireFlags is a *UsageError if one of the flags was not given.
func RequireFlags(command *cobra.Command, names ...string) error {
	var missing []string
	for _, name := range names {
		if flag := command.Flags().Lookup(name); flag == nil || !flag.Changed {
			missing = append(missing, "--"+name)
		}
	}
	if len(missing) > 0 {
		return Usagef("%s must be given", strings.Join(missing, " and "))
	}
	return nil
}

// ReadFile reads a file of at most limit bytes.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes; is it the right file?", path, limit)
	}
	return text, nil
}

// ReadSecretLine reads a file that holds one secret line, such as a token.
func ReadSecretLine(path string) (string, error) {
	text, err := ReadFile(path, 64<<10)
	if err != nil {
		return "", err
	}
	line := strings.TrimSpace(string(text))
	if line == "" || strings.ContainsAny(line, "\r\n") {
		return "", fmt.Errorf("%s must hold one line", path)
	}
	return line, nil
}
