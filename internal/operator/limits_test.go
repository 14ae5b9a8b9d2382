package operator

import (
	"errors"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
)

func TestParseMemory(t *testing.T) {
	for text, want := range map[string]int64{
		"": 512_000_000, "512MB": 512_000_000, "512MiB": 512 << 20, "2GB": 2_000_000_000, "1.5 GiB": 3 << 29, "256MB": 256_000_000, "300000kB": 300_000_000, "1048576KiB": 1 << 30,
	} {
		if got, err := parseMemory(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"512", "MB", "255MB", "-1GB", "NaNGB", "InfGB", "9999999999GB", "512 mb", "1e400GB"} {
		_, err := parseMemory(text)
		if problem, ok := errors.AsType[*ConfigError](err); !ok || problem.Field != "limits.memory" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The parts fit into the whole, whatever it is, with room for the store's transactions, connections and garbage.
func TestPlanFits(t *testing.T) {
	for _, total := range []int64{leastMemory, 512_000_000, 8_000_000_000, mostMemory} {
		p := planMemory(total)
		// A quarter of the memory for jobs is for those that wait; see aggregator.LeaderConfig.
		parts := p.bodies + p.jobs + p.jobs/4 + p.verification + p.filter + int64(p.connections)*24_000
		if p.runtime > total*3/4 || parts > p.runtime*7/8 {
			t.Errorf("%d: the parts are %d of the runtime's %d", total, parts, p.runtime)
		}
		if p.runtime+p.mapped > total*15/16 {
			t.Errorf("%d: the runtime may have %d, and %d are mapped", total, p.runtime, p.mapped)
		}
		if p.upload > p.bodies || p.jobBody > p.bodies || p.upload < 20_000_000 || p.connections < 1000 {
			t.Errorf("%d: %+v", total, p)
		}
	}
}

// A task that does not fit says which setting is to be raised, and to what: then it does.
func TestTaskErrorNamesTheSetting(t *testing.T) {
	p := planMemory(300_000_000)
	err := p.taskError(&aggregator.TaskError{Field: "vdaf", Problem: "too large", Err: &aggregator.MemoryError{What: "verifying one report", Needs: 100_000_000, Limit: p.verification}})
	problem, ok := errors.AsType[*api.OperatorError](err)
	if !ok || problem.Kind != api.OperatorInvalid || !strings.Contains(problem.Detail, "memory in the section limits of config.toml to 600MB") {
		t.Errorf("%v", err)
	}
	if enough := planMemory(600_000_000); enough.verification < 100_000_000 {
		t.Errorf("it still has %d", enough.verification)
	}
}
