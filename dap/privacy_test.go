package dap

import (
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

var validPrivacy = PrivacyConfig{
	Mechanism: PrivacyMechanismDiscreteGaussian, Neighbours: PrivacyNeighboursRemoveOne,
	Level: Rational{1, 8}, Budget: Rational{3, 2}, ReportsPerClient: 12, ReportsPerBatch: 1, MaxBatchSize: 1_000_000,
}

func drawPrivacyConfig(t *rapid.T) PrivacyConfig {
	rational := rapid.Custom(func(t *rapid.T) Rational {
		return Rational{rapid.Uint64Min(1).Draw(t, "numerator"), rapid.Uint64Min(1).Draw(t, "denominator")}
	}).Filter(func(r Rational) bool { return r.problem() == "" })
	return PrivacyConfig{
		Mechanism:  rapid.SampledFrom([]PrivacyMechanism{PrivacyMechanismDiscreteLaplace, PrivacyMechanismDiscreteGaussian}).Draw(t, "mechanism"),
		Neighbours: rapid.SampledFrom([]PrivacyNeighbours{PrivacyNeighboursReplaceOne, PrivacyNeighboursRemoveOne}).Draw(t, "neighbours"),
		Level:      rational.Draw(t, "level"), Budget: rational.Draw(t, "budget"),
		ReportsPerClient: rapid.Uint64().Draw(t, "reports_per_client"),
		ReportsPerBatch:  rapid.Uint64().Draw(t, "reports_per_batch"),
		MaxBatchSize:     rapid.Uint64().Draw(t, "max_batch_size"),
	}
}

// What has one meaning has one encoding, and what has none has no encoding.
func TestPrivacyConfigRefused(t *testing.T) {
	const good = `02 02 0000000000000001 0000000000000008 0000000000000003 0000000000000002 000000000000000c 0000000000000001 00000000000f4240`
	if got, err := DecodePrivacyConfig(unhex(t, good)); err != nil || got != validPrivacy {
		t.Fatalf("%+v, %v; want %+v", got, err, validPrivacy)
	}
	for name, test := range map[string]struct {
		at    int // the byte that is changed
		value byte
		field string
	}{
		"mechanism 0":              {0, 0, "mechanism"},
		"mechanism 3":              {0, 3, "mechanism"},
		"neighbours 0":             {1, 0, "neighbours"},
		"neighbours 3":             {1, 3, "neighbours"},
		"a level of 0":             {9, 0, "level"},
		"a level over 0":           {17, 0, "level"},
		"a level of 2/8":           {9, 2, "level"},
		"a budget of 0":            {25, 0, "budget"},
		"a budget of 2/2 for 1":    {25, 2, "budget"},
		"a budget not in its form": {33, 6, "budget"}, // 3/6
	} {
		b := unhex(t, good)
		b[test.at] = test.value
		got, err := DecodePrivacyConfig(b)
		problem, ok := errors.AsType[*DecodeError](err)
		if got != (PrivacyConfig{}) || !ok || problem.Field != test.field {
			t.Errorf("%s: %+v, %v; want a *DecodeError about %s", name, got, err, test.field)
		}
	}
	for name, change := range map[string]func(*PrivacyConfig){
		"mechanism":  func(c *PrivacyConfig) { c.Mechanism = 0 },
		"neighbours": func(c *PrivacyConfig) { c.Neighbours = 9 },
		"level":      func(c *PrivacyConfig) { c.Level = Rational{} },
		"budget":     func(c *PrivacyConfig) { c.Budget = Rational{10, 5} },
	} {
		c := validPrivacy
		change(&c)
		_, err := NewPrivacyExtension(c)
		if problem, ok := errors.AsType[*EncodeError](err); !ok || problem.Field != name {
			t.Errorf("%s: %v; want an *EncodeError about it", name, err)
		}
	}
}

func TestPrivacyOfATask(t *testing.T) {
	task := validTaskConfiguration()
	if c, ok, err := task.Privacy(); ok || err != nil || c != (PrivacyConfig{}) {
		t.Errorf("a task without the extension: %+v, %v, %v", c, ok, err)
	}
	extension, err := NewPrivacyExtension(validPrivacy)
	if err != nil {
		t.Fatal(err)
	}
	task.Extensions = append(task.Extensions, extension)
	decoded, err := DecodeTaskConfiguration(mustEncode(t, task))
	if err != nil || !reflect.DeepEqual(decoded, task) {
		t.Fatalf("%+v, %v; want %+v", decoded, err, task)
	}
	if c, ok, err := decoded.Privacy(); !ok || err != nil || c != validPrivacy {
		t.Errorf("%+v, %v, %v; want %+v", c, ok, err, validPrivacy)
	}
	if err := task.Validate(); err != nil {
		t.Errorf("such a task is not valid: %v", err)
	}
	task.Extensions[len(task.Extensions)-1].Data = extension.Data[:57]
	_, ok, err := task.Privacy()
	if problem, is := errors.AsType[*DecodeError](err); ok || !is || problem.Field != "max_batch_size" {
		t.Errorf("an extension that is cut off: %v, %v", ok, err)
	}
	if problem, is := errors.AsType[*DecodeError](task.Validate()); !is || problem.Field != "max_batch_size" {
		t.Errorf("a task with such an extension is valid: %v", task.Validate())
	}
}

func FuzzPrivacyConfig(f *testing.F) { fuzzDecoder(f, "DifferentialPrivacyTaskExtension") }
