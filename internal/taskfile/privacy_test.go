package taskfile

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/dp"
)

func private(kind dp.Kind) *dp.Parameters {
	return &dp.Parameters{
		Kind: kind, Neighbours: dp.RemoveOne, Level: big.NewRat(1, 3), Budget: big.NewRat(5, 2),
		ReportsPerClient: 10, ReportsPerBatch: 2, MaxBatchSize: 100_000,
	}
}

func TestPrivacyInTheFile(t *testing.T) {
	d := draft(t)
	d.Privacy = private(dp.ZeroConcentrated)
	_, text := encoded(t, d)
	for _, line := range []string{
		"[differential_privacy]", "rho = '1/3'", "neighbours = 'remove-one'", "budget = '2.5'",
		"reports_per_client = 10", "reports_per_batch = 2", "max_batch_size = 100000",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%s is missing:\n%s", line, text)
		}
	}
	// The ID covers all of it.
	for old, changed := range map[string]string{
		"rho = '1/3'": "rho = '1/4'", "budget = '2.5'": "budget = '2.6'", "'remove-one'": "'replace-one'", "max_batch_size = 100000": "max_batch_size = 100001",
	} {
		_, err := Decode([]byte(strings.Replace(text, old, changed, 1)))
		if _, ok := errors.AsType[*AlteredError](err); !ok {
			t.Errorf("%s: %v", changed, err)
		}
	}
	for old, test := range map[string]struct{ changed, field string }{
		"rho = '1/3'":              {"rho = 'high'", "differential_privacy.rho"},
		"budget = '2.5'":           {"budget = '0'", "differential_privacy.budget"},
		"neighbours = ":            {"neighbours = 'swap' #", "differential_privacy.neighbours"},
		"neighbours":               {"epsilon = '1'\nneighbours", "differential_privacy"},
		"max_batch_size = 100000":  {"max_batch_size = 99", "differential_privacy"},
		"reports_per_batch = 2":    {"reports_per_batch = 11", "differential_privacy"},
		"[differential_privacy]\n": {"[differential_privacy]\nmore = 1\n", ""},
	} {
		_, err := Decode([]byte(strings.Replace(text, old, test.changed, 1)))
		problem, ok := errors.AsType[*FieldError](err)
		if test.field == "" {
			if _, ok := errors.AsType[*SyntaxError](err); !ok {
				t.Errorf("%s: %v", test.changed, err)
			}
		} else if !ok || problem.Field != test.field {
			t.Errorf("%s: %v; want an error about %s", test.changed, err, test.field)
		}
	}
}

func TestUnsoundPrivacy(t *testing.T) {
	for want, change := range map[string]func(*dp.Parameters){
		"the budget is":           func(p *dp.Parameters) { p.Budget = big.NewRat(1, 3) },
		"the level is not":        func(p *dp.Parameters) { p.Level = new(big.Rat) },
		"has too many digits":     func(p *dp.Parameters) { p.Budget = new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), 64)) },
		"the maximum batch size ": func(p *dp.Parameters) { p.MaxBatchSize = 0 },
	} {
		d := draft(t)
		d.Privacy = private(dp.ZeroConcentrated)
		change(d.Privacy)
		_, err := New(d)
		if problem, ok := errors.AsType[*FieldError](err); !ok || problem.Field != "differential_privacy" || !strings.Contains(problem.Problem, want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// What a task file's TOML cannot hold is no task.
func TestGreatNumbers(t *testing.T) {
	for field, change := range map[string]func(*Draft){
		"min_batch_size": func(d *Draft) { d.MinBatchSize = 1 << 63 },
		"differential_privacy.reports_per_client": func(d *Draft) { d.Privacy.ReportsPerClient = 1 << 63 },
		"differential_privacy.reports_per_batch":  func(d *Draft) { d.Privacy.ReportsPerBatch, d.Privacy.ReportsPerClient = 1<<63, 1<<63-1 },
		"differential_privacy.max_batch_size":     func(d *Draft) { d.Privacy.MaxBatchSize = 1 << 63 },
	} {
		d := draft(t)
		d.Privacy = private(dp.PureEpsilon)
		change(&d)
		_, err := New(d)
		if problem, ok := errors.AsType[*FieldError](err); !ok || problem.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
