package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestExitStatuses(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		err    error
		status int
		stderr string
	}{
		"done":            {[]string{"sub"}, nil, ExitDone, ""},
		"failed":          {[]string{"sub"}, errors.New("disk\non fire"), ExitFailed, "tool sub: disk; on fire\n"},
		"reported":        {[]string{"sub"}, ErrReported, ExitFailed, ""},
		"not ready":       {[]string{"sub"}, fmt.Errorf("x: %w", &NotReadyError{errors.New("later")}), ExitNotReady, "tool sub: x: later\n"},
		"usage":           {[]string{"sub"}, Usagef("no %s", "way"), ExitUsage, "tool sub: no way\n"},
		"unknown flag":    {[]string{"sub", "--nope"}, nil, ExitUsage, "--nope"},
		"unknown command": {[]string{"nope"}, nil, ExitUsage, `there is no command "nope"`},
		"unknown, a flag": {[]string{"nope", "--dir", "D"}, nil, ExitUsage, `there is no command "nope"`},
		"no command":      {nil, nil, ExitUsage, "name one of its commands"},
		"too many":        {[]string{"sub", "x"}, nil, ExitUsage, "tool sub:"},
		"help":            {[]string{"--help"}, nil, ExitDone, ""},
	} {
		sub := &cobra.Command{Use: "sub", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return c.err }}
		tool := Group("tool", "short", "long", sub)
		var stdout, stderr bytes.Buffer
		tool.SetOut(&stdout)
		tool.SetErr(&stderr)
		tool.SetArgs(c.args)
		if c.args == nil {
			tool.SetArgs([]string{})
		}
		if status := Run(t.Context(), tool); status != c.status || !strings.Contains(stderr.String(), c.stderr) || c.stderr == "" && stderr.Len() > 0 {
			t.Errorf("%s: status %d, %q", name, status, &stderr)
		}
	}
}

func TestReadSecretLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	for text, want := range map[string]string{"abc\n": "abc", " abc ": "abc", "": "", "a\nb": "", strings.Repeat("x", 70<<10): ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadSecretLine(path)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%.20q: got %q, %v", text, got, err)
		}
	}
	if _, err := ReadSecretLine(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
