package dap

import (
	"errors"
	"strings"
	"testing"
)

func TestValidateTaskConfiguration(t *testing.T) {
	for name, config := range map[string]TaskConfiguration{
		"valid":              validTaskConfiguration(),
		"no extension":       changed(func(c *TaskConfiguration) { c.Extensions = nil }),
		"plain HTTP":         changed(func(c *TaskConfiguration) { c.LeaderAggregatorEndpoint = "http://127.0.0.1:8080" }),
		"leader-selected":    changed(func(c *TaskConfiguration) { c.BatchMode = BatchModeLeaderSelected }),
		"a VDAF of its own":  changed(func(c *TaskConfiguration) { c.VdafType, c.VdafConfiguration = 0xffff0000, []byte{1} }),
		"count":              changed(func(c *TaskConfiguration) { c.VdafType, c.VdafConfiguration = VdafTypePrio3Count, nil }),
		"the last precision": changed(func(c *TaskConfiguration) { c.TimePrecision = 1<<64 - 1 }),
	} {
		if err := config.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidateTaskConfigurationRefuses(t *testing.T) {
	url := func(text string) TaskConfiguration {
		return changed(func(c *TaskConfiguration) { c.HelperAggregatorEndpoint = text })
	}
	tests := []struct {
		name   string
		config TaskConfiguration
		field  string // of a *TaskConfigurationError
	}{
		{"leader not a URL", changed(func(c *TaskConfiguration) { c.LeaderAggregatorEndpoint = "https://[" }), "leader_aggregator_endpoint"},
		{"relative", url("/dap"), "helper_aggregator_endpoint"},
		{"other scheme", url("ftp://example.com/"), "helper_aggregator_endpoint"},
		{"no host", url("https:///dap"), "helper_aggregator_endpoint"},
		{"only a port", url("https://:80/dap"), "helper_aggregator_endpoint"},
		{"user", url("https://me:secret@example.com/"), "helper_aggregator_endpoint"},
		{"query", url("https://example.com/?a=b"), "helper_aggregator_endpoint"},
		{"empty query", url("https://example.com/?"), "helper_aggregator_endpoint"},
		{"fragment", url("https://example.com/#a"), "helper_aggregator_endpoint"},
		{"empty fragment", url("https://example.com/#"), "helper_aggregator_endpoint"},
		{"space", url("https://example.com/a b"), "helper_aggregator_endpoint"},
		{"line break", url("https://example.com/\r\nHost: evil"), "helper_aggregator_endpoint"},
		{"precision 0", changed(func(c *TaskConfiguration) { c.TimePrecision = 0 }), "time_precision"},
		{"batch size 0", changed(func(c *TaskConfiguration) { c.MinBatchSize = 0 }), "min_batch_size"},
		{"batch config", changed(func(c *TaskConfiguration) { c.BatchConfig = []byte{0} }), "batch_config"},
		{"empty interval", changed(func(c *TaskConfiguration) {
			c.Extensions = []TaskExtension{NewTaskIntervalExtension(Interval{5, 0})}
		}), "extensions.task_interval"},
		{"endless interval", changed(func(c *TaskConfiguration) {
			c.Extensions = []TaskExtension{NewTaskIntervalExtension(Interval{5, 1<<64 - 1})}
		}), "extensions.task_interval"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.config.Validate()
			e, ok := errors.AsType[*TaskConfigurationError](err)
			if !ok || e.Field != test.field {
				t.Fatalf("error %v; want a *TaskConfigurationError of %s", err, test.field)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error repeats the password: %v", err)
			}
		})
	}
	err := changed(func(c *TaskConfiguration) { c.BatchMode = 3 }).Validate()
	if e, ok := errors.AsType[*UnsupportedBatchModeError](err); !ok || e.BatchMode != 3 {
		t.Errorf("batch mode 3: %v; want an *UnsupportedBatchModeError", err)
	}
	err = changed(func(c *TaskConfiguration) { c.Extensions = append(c.Extensions, TaskExtension{Type: 9}) }).Validate()
	if e, ok := errors.AsType[*UnsupportedTaskExtensionError](err); !ok || e.Type != 9 {
		t.Errorf("extension 9: %v; want an *UnsupportedTaskExtensionError", err)
	}
	wantDecodeError(t, changed(func(c *TaskConfiguration) { c.VdafConfiguration = c.VdafConfiguration[1:] }).Validate())
	wantDecodeError(t, changed(func(c *TaskConfiguration) { c.VdafType = VdafTypePrio3Count }).Validate())
	if _, ok := errors.AsType[*EncodeError](TaskConfiguration{}.Validate()); !ok {
		t.Error("the zero TaskConfiguration does not fail with an *EncodeError")
	}
}

// A batch mode that is not known is no reason not to understand the
// configuration: one must be able to opt out of the task.
func TestUnknownBatchModeOfTaskDecodes(t *testing.T) {
	encoded := mustEncode(t, changed(func(c *TaskConfiguration) { c.BatchMode = 200 }))
	if c, err := DecodeTaskConfiguration(encoded); err != nil || c.BatchMode != 200 {
		t.Errorf("batch mode %v, %v", c.BatchMode, err)
	}
}

func TestTaskInterval(t *testing.T) {
	if got, ok := validTaskConfiguration().TaskInterval(); !ok || got != (Interval{60, 100}) {
		t.Errorf("task interval %v, %v", got, ok)
	}
	if _, ok := (TaskConfiguration{Extensions: []TaskExtension{{Type: 2}}}).TaskInterval(); ok {
		t.Error("a task interval without the extension")
	}
	// A broken one must not look like a task without an interval.
	got, ok := TaskConfiguration{Extensions: []TaskExtension{{Type: 1, Data: make([]byte, 17)}}}.TaskInterval()
	if !ok || got.Contains(0) || got.Duration != 0 {
		t.Errorf("a broken task interval is %v, %v; want one that contains nothing", got, ok)
	}
}

func TestVdafOfTask(t *testing.T) {
	config, err := validTaskConfiguration().Vdaf()
	if want := (Prio3HistogramConfig{20, 4}); config != want || err != nil {
		t.Errorf("VDAF configuration %v, %v; want %v", config, err, want)
	}
}
