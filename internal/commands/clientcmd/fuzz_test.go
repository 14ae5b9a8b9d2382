package clientcmd

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fuzzing"
	"github.com/twofold-dap/twofold/internal/taskfile"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

// FuzzUpload runs upload with any options and input, for a task of each VDAF. There is no
// network: what could be sent meets a context that has ended.
func FuzzUpload(f *testing.F) {
	dir := f.TempDir()
	specs := []string{"count", "sum:max=100", "sumvec:length=3,max=7", "histogram:edges=0;10;20", "histogram:length=4", "multihot:length=3,max_weight=2"}
	var tasks []string
	for _, spec := range specs {
		path := filepath.Join(dir, strings.NewReplacer(":", "-", ";", "-").Replace(spec))
		if err := os.WriteFile(path, taskOf(f, spec), 0o600); err != nil {
			f.Fatal(err)
		}
		tasks = append(tasks, path)
	}
	csv := filepath.Join(dir, "input.csv")
	for i := range byte(len(tasks)) {
		f.Add(i, byte(withCSV), "delay", "", "", "delay,when\n1,2026-03-01T08:00:00Z\n")
		f.Add(i, byte(withCSV|withJSON), "delay", "when", "", "\ufeffdelay,when\r\n\"1;0;1\",1769846400\r\n")
		f.Add(i, byte(withStdin), "", "", "", "1\n0\n")
		f.Add(i, byte(withValue), "", "", "1;1;0", "")
		f.Add(i, byte(withValue|withStdin|withCSV|withPlain), "x", "y", "7", "")
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	fuzzing.Run(f, fuzzing.Limit{Fixed: 8 << 20, Multiple: 256}, func(t testing.TB, task, options byte, column, timeColumn, value, input string) {
		args := []string{"--task=" + tasks[int(task)%len(tasks)]}
		add := func(when bool, argument string) {
			if when {
				args = append(args, argument)
			}
		}
		add(options&withCSV != 0, "--csv="+csv)
		add(options&withStdin != 0, "--stdin")
		add(options&withValue != 0, "--value="+value)
		add(options&withJSON != 0, "--json")
		add(options&withPlain != 0, "--allow-plain-http")
		add(column != "", "--column="+column)
		add(options&withTwoColumns != 0, "--column=when")
		add(timeColumn != "", "--time-column="+timeColumn)
		if options&withCSV != 0 {
			if err := os.WriteFile(csv, []byte(input), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		command := newUpload()
		var out bytes.Buffer
		command.SetArgs(args)
		command.SetIn(strings.NewReader(input))
		command.SetOut(&out)
		command.SetErr(&out)
		command.SilenceUsage, command.SilenceErrors = true, true
		if err := command.ExecuteContext(ended); err == nil {
			t.Fatalf("%q has succeeded, with %q", args, out.String())
		}
	})
}

// The options of an input.
const (
	withCSV = 1 << iota
	withStdin
	withValue
	withJSON
	withPlain
	withTwoColumns
)

// taskOf returns a task file.
func taskOf(t testing.TB, text string) []byte {
	t.Helper()
	spec, err := vdafspec.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	keypair, err := dap.GenerateHpkeKeypair(1, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	if err != nil {
		t.Fatal(err)
	}
	file, err := taskfile.New(taskfile.Draft{
		Name: "fuzzed", Leader: "https://leader.invalid/", Helper: "https://helper.invalid/", Spec: spec, MinBatchSize: 10,
		TimePrecision: time.Hour, BatchMode: dap.BatchModeTimeInterval, CollectorHpkeConfig: keypair.Config,
	})
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := file.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}
