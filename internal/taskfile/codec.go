package taskfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/base64url"
	"github.com/twofold-dap/twofold/internal/taskprivacy"
	"github.com/twofold-dap/twofold/internal/timespan"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

// MaxSize is the largest size of a task file, in bytes.
const MaxSize = 2 << 20

// formatVersion is the only value of the field format.
const formatVersion = "twofold-task-1"

const heading = `# A task of Twofold (DAP draft 18). It is public, and holds no secret: hand it to
# both aggregators' operators and to the clients. It must not be changed: its
# ID is a digest of all that it says.

`

// wire is a task file's fields.
type wire struct {
	Format   string `toml:"format"`
	ID       string `toml:"id"`
	Name     string `toml:"name"`
	Taskprov *bool  `toml:"taskprov" comment:"The ID and the verification key are derived as Taskprov defines."`

	VDAF   string   `toml:"vdaf"`
	Labels []string `toml:"labels,omitempty" comment:"What the numbers of the result mean."`

	Leader        string `toml:"leader"`
	Helper        string `toml:"helper"`
	TimePrecision string `toml:"time_precision"`
	MinBatchSize  uint64 `toml:"min_batch_size"`
	BatchMode     string `toml:"batch_mode"`
	Start         string `toml:"start,omitempty" comment:"The task takes reports from start, for the duration."`
	Duration      string `toml:"duration,omitempty"`

	CollectorHpkeConfig string `toml:"collector_hpke_config" comment:"Encoded, in URL-safe Base64, as is task_info."`
	TaskInfo            string `toml:"task_info"`

	DifferentialPrivacy *privacyWire `toml:"differential_privacy,omitempty" comment:"Each aggregator adds noise to every result, so that it says little about any one report."`
}

// Encode returns the file's text.
func (f File) Encode() ([]byte, error) {
	hpkeConfig, err := f.CollectorHpkeConfig.Encode()
	if err != nil {
		return nil, &FieldError{"collector_hpke_config", err.Error()}
	}
	precision, err := dap.Duration(1).In(f.Config.TimePrecision)
	if err != nil {
		return nil, &FieldError{"time_precision", err.Error()}
	}
	w := wire{
		Format: formatVersion, ID: f.ID.String(), Name: f.Name, Taskprov: &f.Taskprov,
		VDAF: f.Spec.String(), Labels: f.Labels,
		Leader: f.Config.LeaderAggregatorEndpoint, Helper: f.Config.HelperAggregatorEndpoint,
		TimePrecision: timespan.Format(precision), MinBatchSize: f.Config.MinBatchSize,
		BatchMode:           BatchModeName(f.Config.BatchMode),
		CollectorHpkeConfig: base64url.Encode(hpkeConfig),
		TaskInfo:            base64url.Encode(f.Config.TaskInfo),
	}
	if interval, ok := f.Config.TaskInterval(); ok {
		duration, err := interval.Duration.In(f.Config.TimePrecision)
		if err != nil {
			return nil, &FieldError{"duration", err.Error()}
		}
		w.Start = interval.Start.At(f.Config.TimePrecision).Format(time.RFC3339)
		w.Duration = timespan.Format(duration)
	}
	p, private, err := taskprivacy.Parameters(f.Config)
	if err != nil {
		return nil, &FieldError{privacyField, err.Error()}
	}
	if private {
		w.DifferentialPrivacy = newPrivacyWire(&p)
	}
	text, err := toml.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("task file: %w", err)
	}
	return append([]byte(heading), text...), nil
}

// Decode reads a task file. Its error is a *FieldError, an *AlteredError, a
// *SyntaxError, or one of dap.TaskConfiguration.Validate.
func Decode(text []byte) (File, error) {
	if len(text) > MaxSize {
		return File{}, &SyntaxError{fmt.Sprintf("it has %d bytes; a task file has at most %d", len(text), MaxSize)}
	}
	var w wire
	decoder := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := decoder.Decode(&w); err != nil {
		return File{}, syntaxError(err)
	}
	f, err := w.file()
	if err != nil {
		return File{}, err
	}
	if err := f.check(); err != nil {
		return File{}, err
	}
	return f, nil
}

// file decodes the fields one by one; File.check follows.
func (w *wire) file() (File, error) {
	if w.Format != formatVersion {
		return File{}, &FieldError{"format", fmt.Sprintf("is %q; this program reads %q", w.Format, formatVersion)}
	}
	if w.Taskprov == nil {
		return File{}, &FieldError{"taskprov", "is missing; it must be true or false"}
	}
	f := File{Name: w.Name, Taskprov: *w.Taskprov, Labels: w.Labels}
	var err error
	if f.ID, err = dap.ParseTaskID(w.ID); err != nil {
		return File{}, &FieldError{"id", err.Error()}
	}
	if f.Spec, err = vdafspec.Parse(w.VDAF); err != nil {
		return File{}, &FieldError{"vdaf", err.Error()}
	}
	if f.CollectorHpkeConfig, err = decodeHpkeConfig(w.CollectorHpkeConfig); err != nil {
		return File{}, err
	}
	if f.Config, err = w.configuration(f.Spec); err != nil {
		return File{}, err
	}
	f.Encoded, err = f.Config.Encode()
	return f, err
}

func (w *wire) configuration(spec vdafspec.Spec) (dap.TaskConfiguration, error) {
	c := dap.TaskConfiguration{LeaderAggregatorEndpoint: w.Leader, HelperAggregatorEndpoint: w.Helper, MinBatchSize: w.MinBatchSize}
	var err error
	if c.TaskInfo, err = base64url.Decode(w.TaskInfo); err != nil {
		return c, &FieldError{"task_info", "is not URL-safe Base64 without padding"}
	}
	precision, err := timespan.Parse(w.TimePrecision)
	if err != nil {
		return c, &FieldError{"time_precision", err.Error()}
	}
	if c.TimePrecision, err = timePrecision(precision); err != nil {
		return c, err
	}
	if c.BatchMode, err = ParseBatchMode(w.BatchMode); err != nil {
		return c, &FieldError{"batch_mode", err.Error()}
	}
	if c.VdafType, c.VdafConfiguration, err = spec.Encode(); err != nil {
		return c, &FieldError{"vdaf", err.Error()}
	}
	var start time.Time
	var duration time.Duration
	if w.Start != "" {
		if start, err = timespan.ParseTime(w.Start); err != nil {
			return c, &FieldError{"start", err.Error()}
		}
	}
	if w.Duration != "" {
		if duration, err = timespan.Parse(w.Duration); err != nil {
			return c, &FieldError{"duration", err.Error()}
		}
	}
	if c.Extensions, err = taskInterval(c.TimePrecision, start, duration); err != nil || w.DifferentialPrivacy == nil {
		return c, err
	}
	p, err := w.DifferentialPrivacy.parameters()
	if err != nil {
		return c, err
	}
	extensions, err := privacyExtension(&p)
	c.Extensions = append(c.Extensions, extensions...)
	return c, err
}

func decodeHpkeConfig(text string) (dap.HpkeConfig, error) {
	encoded, err := base64url.Decode(text)
	if err != nil {
		return dap.HpkeConfig{}, &FieldError{"collector_hpke_config", "is not URL-safe Base64 without padding"}
	}
	config, err := dap.DecodeHpkeConfig(encoded)
	if err != nil {
		return dap.HpkeConfig{}, &FieldError{"collector_hpke_config", err.Error()}
	}
	return config, nil
}

// BatchModeName is a batch mode as people write it: "time-interval" or
// "leader-selected".
func BatchModeName(mode dap.BatchMode) string {
	switch mode {
	case dap.BatchModeTimeInterval:
		return "time-interval"
	case dap.BatchModeLeaderSelected:
		return "leader-selected"
	}
	return mode.String()
}

// BatchModeError says that a text names no batch mode.
type BatchModeError struct{ Value string }

func (e *BatchModeError) Error() string {
	return fmt.Sprintf("%q is not a batch mode; write time-interval or leader-selected", e.Value)
}

// ParseBatchMode is the inverse of BatchModeName. Its error is a *BatchModeError.
func ParseBatchMode(text string) (dap.BatchMode, error) {
	for _, mode := range []dap.BatchMode{dap.BatchModeTimeInterval, dap.BatchModeLeaderSelected} {
		if text == BatchModeName(mode) {
			return mode, nil
		}
	}
	return 0, &BatchModeError{text}
}

// SyntaxError says why a file is not a task file at all.
type SyntaxError struct{ Problem string }

func (e *SyntaxError) Error() string { return "not a task file: " + e.Problem }

// syntaxError makes one line of what the TOML decoder says.
func syntaxError(err error) error {
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok && len(strict.Errors) > 0 {
		e := strict.Errors[0]
		row, _ := e.Position()
		return &SyntaxError{fmt.Sprintf("line %d: %s is not a field of a task file", row, strings.Join(e.Key(), "."))}
	}
	if decode, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, column := decode.Position()
		return &SyntaxError{fmt.Sprintf("line %d, column %d: %v", row, column, decode)}
	}
	return &SyntaxError{err.Error()}
}
