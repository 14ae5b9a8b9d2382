package commands

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/commands/aggregatorcmd"
	"github.com/twofold-dap/twofold/internal/commands/clientcmd"
	"github.com/twofold-dap/twofold/internal/commands/collectorcmd"
	"github.com/twofold-dap/twofold/internal/processes"
)

var programs = map[string]func() *cobra.Command{
	"leader":    func() *cobra.Command { return aggregatorcmd.New(dap.RoleLeader) },
	"helper":    func() *cobra.Command { return aggregatorcmd.New(dap.RoleHelper) },
	"client":    clientcmd.New,
	"collector": collectorcmd.New,
}

// patience bounds waiting for what must happen; it is long, because the machine may be busy.
const patience = 5 * time.Minute

// TestScripts runs the real programs, as people type them.
func TestScripts(t *testing.T) {
	bin := t.TempDir()
	if _, err := processes.Build(t.Context(), bin); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			return setup(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       exits,
			"serving":     serving,
			"pair":        pair,
			"lastline":    lastLine,
			"replace":     replace,
			"lines":       lines,
			"oneline":     oneLine,
			"sleepuntil":  sleepUntil,
			"failedjob":   failedJob,
			"deferredjob": deferredJob,
			"cut":         cut,
			"interval":    interval,
		},
	})
}

// setup gives a script two free ports and a certificate.
func setup(env *testscript.Env) error {
	addresses, err := processes.FreeAddresses(2)
	if err != nil {
		return err
	}
	for i, name := range []string{"LEADER", "HELPER"} {
		env.Setenv(name, "http://"+addresses[i]+"/dap/")
		env.Setenv(name+"_TLS", "https://"+addresses[i]+"/")
		env.Setenv(name+"_ADDR", addresses[i])
	}
	// A unix socket's path must be short, and a test's directory need not be.
	short, err := os.MkdirTemp("", "tf")
	if err != nil {
		return err
	}
	env.Defer(func() { os.RemoveAll(short) })
	env.Setenv("D", short)
	// An hour may end at any moment of a script: what it collects is of the last two, and what it asks for twice it names.
	hour := time.Now().UTC().Truncate(time.Hour)
	env.Setenv("THIS_HOUR", hour.Format(time.RFC3339))
	env.Setenv("NEXT_HOUR", hour.Add(time.Hour).Format(time.RFC3339))
	env.Setenv("YESTERDAY", hour.Add(-24*time.Hour).Format(time.RFC3339))
	env.Setenv("TOMORROW", hour.Add(24*time.Hour).Format(time.RFC3339))
	return writeCertificate(env.WorkDir)
}

// writeCertificate writes a certificate for this machine that certifies itself.
func writeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), 0o600),
		os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	)
}

// exits STATUS COMMAND [ARG...] runs a command and checks its exit status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d\n%s%s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// serving DIR... waits until the servers of the directories answer.
func serving(ts *testscript.TestScript, neg bool, args []string) {
	for _, dir := range args {
		client := api.NewOperatorClient(filepath.Join(ts.MkAbs(dir), "operator.sock"))
		deadline := time.Now().Add(patience)
		for {
			err := client.Health(context.Background())
			if (err == nil) != neg {
				break
			}
			if time.Now().After(deadline) {
				ts.Fatalf("%s: %v", dir, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		client.Close()
	}
}

// pair makes a leader in $D/L, a helper in $D/H and a collector in C, and pairs the
// two aggregators.
func pair(ts *testscript.TestScript, neg bool, args []string) {
	d := ts.Getenv("D")
	ts.Check(ts.Exec("helper", append([]string{"init", "--dir", d + "/H", "--url", ts.Getenv("HELPER")}, args...)...))
	ts.Check(ts.Exec("leader", "init", "--dir", d+"/L", "--url", ts.Getenv("LEADER")))
	ts.Check(ts.Exec("collector", "init", "--dir", "C"))
	ts.Check(ts.Exec("helper", "invite", "--dir", d+"/H"))
	ts.Check(ts.Exec("leader", "pair", "--dir", d+"/L", last(ts.ReadFile("stdout"))))
}

func last(text string) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return all[len(all)-1]
}

// lastline FILE writes the last line of the last command's output to a file.
func lastLine(ts *testscript.TestScript, neg bool, args []string) {
	line := last(ts.ReadFile("stdout"))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(line+"\n"), 0o600))
	ts.Setenv("LINE", line)
}

// interval puts the interval that the last collect has named into $INTERVAL.
func interval(ts *testscript.TestScript, neg bool, args []string) {
	for line := range strings.Lines(ts.ReadFile("stderr")) {
		if named, found := strings.CutPrefix(strings.TrimSpace(line), "Collecting "); found {
			ts.Setenv("INTERVAL", named)
			return
		}
	}
	ts.Fatalf("no interval is named:\n%s", ts.ReadFile("stderr"))
}

// replace FROM TO FILE replaces the first occurrence of a text in a file.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile(args[2])
	if !strings.Contains(text, args[0]) {
		ts.Fatalf("%s does not hold %q", args[2], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.Replace(text, args[0], args[1], 1)), 0o600))
}

// lines N TEXT FILE writes a file with N equal lines.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.Repeat(args[1]+"\n", n)), 0o600))
}

// oneline checks that the last command said one line on its standard error, plus
// the one that usage errors have.
func oneLine(ts *testscript.TestScript, neg bool, args []string) {
	text := strings.TrimRight(ts.ReadFile("stderr"), "\n")
	if text == "" || strings.Contains(text, "\n") {
		ts.Fatalf("standard error is not one line:\n%s", text)
	}
}

// sleepuntil DIR NAME N waits until a count of a leader's first task has a value.
func sleepUntil(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.ParseUint(args[2], 10, 64)
	ts.Check(err)
	client := api.NewOperatorClient(filepath.Join(ts.MkAbs(args[0]), "operator.sock"))
	defer client.Close()
	deadline := time.Now().Add(patience)
	for {
		status, err := client.Status(context.Background())
		ts.Check(err)
		c := status.Tasks[0].Counts
		got := map[string]uint64{"waiting": c.Waiting, "aggregated": c.Aggregated}[args[1]]
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s is %d, want %d", args[1], got, want)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// failedjob DIR waits until a running leader has tried a job in vain, and puts its ID into $JOB.
func failedJob(ts *testscript.TestScript, neg bool, args []string) {
	client := api.NewOperatorClient(filepath.Join(ts.MkAbs(args[0]), "operator.sock"))
	defer client.Close()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		jobs, err := client.Jobs(context.Background(), api.JobsRequest{})
		ts.Check(err)
		if len(jobs) == 1 && jobs[0].Attempts > 0 {
			ts.Setenv("JOB", jobs[0].ID)
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no job was tried in vain: %+v", jobs)
		}
	}
}

// TestHelp checks that each command says what it does, with an example.
func TestHelp(t *testing.T) {
	var walk func(t *testing.T, command *cobra.Command)
	walk = func(t *testing.T, command *cobra.Command) {
		name := command.CommandPath()
		if command.Short == "" || command.Long == "" {
			t.Errorf("%s: no description", name)
		}
		if command.HasSubCommands() {
			for _, sub := range command.Commands() {
				walk(t, sub)
			}
			return
		}
		if !strings.Contains(command.Example, name) {
			t.Errorf("%s: no example of it", name)
		}
		for i, line := range strings.Split(command.Long, "\n") {
			if len(line) > 82 {
				t.Errorf("%s: line %d of its help is %d characters long", name, i+1, len(line))
			}
		}
	}
	for name, program := range programs {
		command := program()
		if command.Name() != name {
			t.Errorf("%s is called %s", name, command.Name())
		}
		walk(t, command)
	}
}
