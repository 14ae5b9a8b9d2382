package dap

import (
	"errors"
	"fmt"
	"net/url"

	"golang.org/x/crypto/cryptobyte"
)

// protocolVersion is the draft version in the standard's domain separation tags.
const protocolVersion = "dap-18"

// TaskExtensionType is the type of a task extension (DAP Section 4.2.2).
type TaskExtensionType uint16

// TaskExtensionTaskInterval constrains the times of a task's reports (DAP
// Section 4.2.3).
const TaskExtensionTaskInterval TaskExtensionType = 1

// TaskExtension is a task extension (DAP Section 4.2.2).
//
//	struct {
//	  TaskExtensionType extension_type;
//	  opaque extension_data<0..2^16-1>;
//	} TaskExtension;
type TaskExtension struct {
	Type TaskExtensionType
	Data []byte
}

// TaskConfiguration describes a task (DAP Section 4.2). The URLs are never
// re-encoded: their bytes are what the participants authenticate.
//
//	struct {
//	  opaque task_info<1..2^8-1>;
//	  Url leader_aggregator_endpoint;
//	  Url helper_aggregator_endpoint;
//	  TimePrecision time_precision;
//	  uint64 min_batch_size;
//	  BatchMode batch_mode;
//	  opaque batch_config<0..2^16-1>;
//	  VdafType vdaf_type;
//	  opaque vdaf_configuration<0..2^16-1>;
//	  TaskExtension extensions<0..2^16-1>;
//	} TaskConfiguration;
type TaskConfiguration struct {
	TaskInfo                 []byte
	LeaderAggregatorEndpoint string
	HelperAggregatorEndpoint string
	TimePrecision            TimePrecision
	MinBatchSize             uint64
	BatchMode                BatchMode
	BatchConfig              []byte
	VdafType                 VdafType
	VdafConfiguration        []byte
	Extensions               []TaskExtension
}

const taskConfigurationMessage = "TaskConfiguration"

func (t *TaskConfiguration) encode(b *cryptobyte.Builder) {
	const message = taskConfigurationMessage
	addVector8(b, t.TaskInfo, 1, message, "task_info")
	addURL(b, t.LeaderAggregatorEndpoint, message, "leader_aggregator_endpoint")
	addURL(b, t.HelperAggregatorEndpoint, message, "helper_aggregator_endpoint")
	b.AddUint64(uint64(t.TimePrecision))
	b.AddUint64(t.MinBatchSize)
	b.AddUint8(uint8(t.BatchMode))
	addVector16(b, t.BatchConfig, 0, message, "batch_config")
	b.AddUint32(uint32(t.VdafType))
	addVector16(b, t.VdafConfiguration, 0, message, "vdaf_configuration")
	if problem := taskExtensionsProblem(t.Extensions); problem != "" {
		failEncoding(b, message, "extensions", problem)
	}
	addExtensions(b, t.Extensions, splitTaskExtension, message, "extensions")
}

func (t *TaskConfiguration) decode(s *cryptobyte.String) (err error) {
	const message = taskConfigurationMessage
	if t.TaskInfo, err = readVector8(s, 1, message, "task_info"); err != nil {
		return err
	}
	if t.LeaderAggregatorEndpoint, err = readURL(s, message, "leader_aggregator_endpoint"); err != nil {
		return err
	}
	if t.HelperAggregatorEndpoint, err = readURL(s, message, "helper_aggregator_endpoint"); err != nil {
		return err
	}
	if !s.ReadUint64((*uint64)(&t.TimePrecision)) {
		return truncated(message, "time_precision")
	}
	if !s.ReadUint64(&t.MinBatchSize) {
		return truncated(message, "min_batch_size")
	}
	if !s.ReadUint8((*uint8)(&t.BatchMode)) {
		return truncated(message, "batch_mode")
	}
	if t.BatchConfig, err = readVector16(s, 0, message, "batch_config"); err != nil {
		return err
	}
	if !s.ReadUint32((*uint32)(&t.VdafType)) {
		return truncated(message, "vdaf_type")
	}
	if t.VdafConfiguration, err = readVector16(s, 0, message, "vdaf_configuration"); err != nil {
		return err
	}
	if t.Extensions, err = readExtensions(s, makeTaskExtension, message, "extensions"); err != nil {
		return err
	}
	if problem := taskExtensionsProblem(t.Extensions); problem != "" {
		return &DecodeError{message, "extensions", problem}
	}
	return nil
}

// Encode returns the encoding of the configuration. The extensions must be
// strictly increasing and the URLs ASCII; Validate checks the meaning.
func (t TaskConfiguration) Encode() ([]byte, error) { return encodeMessage(&t, 0) }

// DecodeTaskConfiguration decodes a TaskConfiguration, which aliases b except
// for the URLs. A batch mode, a VDAF or an extension that is not known decodes:
// such a task is well formed, and Validate says that it cannot be taken part in.
func DecodeTaskConfiguration(b []byte) (TaskConfiguration, error) {
	var t TaskConfiguration
	s := cryptobyte.String(b)
	if err := t.decode(&s); err != nil {
		return TaskConfiguration{}, err
	}
	if err := checkEnd(s, taskConfigurationMessage); err != nil {
		return TaskConfiguration{}, err
	}
	return t, nil
}

// checkEncodedTaskConfiguration refuses bytes that are not an encoded
// TaskConfiguration, as a field of another message.
func checkEncodedTaskConfiguration(message string, b []byte) error {
	_, err := DecodeTaskConfiguration(b)
	if problem, ok := errors.AsType[*DecodeError](err); ok {
		return &EncodeError{message, "task_configuration", "not an encoded TaskConfiguration: " + messageField(problem.Field, problem.Problem)}
	}
	return err
}

// taskExtensionsProblem says what is wrong with the encoding of task
// extensions: their order, or the data of one that the standard defines.
func taskExtensionsProblem(extensions []TaskExtension) string {
	if i := firstUnsorted(extensions, splitTaskExtension); i >= 0 {
		return fmt.Sprintf("extension %d does not have a greater type than the one before it", i)
	}
	for _, e := range extensions {
		if e.Type == TaskExtensionTaskInterval && len(e.Data) != intervalLength {
			return fmt.Sprintf("task_interval has %d bytes; an Interval has %d", len(e.Data), intervalLength)
		}
	}
	return ""
}

// addURL writes a Url, which is `opaque Url<1..2^16-1>` in ASCII.
func addURL(b *cryptobyte.Builder, text, message, field string) {
	if !isASCII(text) {
		failEncoding(b, message, field, "not ASCII; percent-encode the path and use the host's ASCII form")
		return
	}
	addVector16(b, []byte(text), 1, message, field)
}

// readURL reads a Url.
func readURL(s *cryptobyte.String, message, field string) (string, error) {
	v, err := readVector16(s, 1, message, field)
	if err != nil {
		return "", err
	}
	text := string(v)
	if !isASCII(text) {
		return "", &DecodeError{message, field, "not ASCII"}
	}
	return text, nil
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

// NewTaskIntervalExtension returns the task_interval extension of a task whose
// reports have their times within the interval (DAP Section 4.2.3).
//
//	struct {
//	  Interval task_interval;
//	} TaskIntervalTaskExtension;
func NewTaskIntervalExtension(interval Interval) TaskExtension {
	return TaskExtension{Type: TaskExtensionTaskInterval, Data: interval.appendTo(nil)}
}

// TaskInterval returns the interval of the task_interval extension, and false
// if the task has none (DAP Section 4.2.3). If the extension's data is not an
// Interval, which no decoded configuration has, the interval is the zero
// Interval, in which no time falls.
func (t TaskConfiguration) TaskInterval() (Interval, bool) {
	for _, e := range t.Extensions {
		if e.Type == TaskExtensionTaskInterval {
			interval, _ := DecodeInterval(e.Data) // the zero Interval with an error
			return interval, true
		}
	}
	return Interval{}, false
}

// TaskConfigurationError says which field of a task configuration makes it
// unusable.
type TaskConfigurationError struct {
	Field   string
	Problem string
}

func (e *TaskConfigurationError) Error() string {
	return "dap: task configuration: " + e.Field + ": " + e.Problem
}

// UnsupportedTaskExtensionError says that a task has an extension that is not
// recognized, so that nobody here may take part in it (DAP Section 4.2.2).
type UnsupportedTaskExtensionError struct{ Type TaskExtensionType }

func (e *UnsupportedTaskExtensionError) Error() string {
	return fmt.Sprintf("dap: task configuration: extensions: type %d is not supported", e.Type)
}

// UnsupportedBatchModeError says that a task has a batch mode that the standard
// does not define.
type UnsupportedBatchModeError struct{ BatchMode BatchMode }

func (e *UnsupportedBatchModeError) Error() string {
	return fmt.Sprintf("dap: task configuration: batch_mode: %d is not supported", e.BatchMode)
}

// Validate checks that a participant can take part in the task: the URLs are
// absolute http or https URLs, the time precision and the minimum batch size
// are not 0, the batch mode is known and its configuration empty, every
// extension is known, the task interval is well formed and not empty, and the
// VDAF's configuration decodes if the VDAF is one of those of Appendix B.
//
// Whether the VDAF is implemented and its parameters are in range, whether the
// parameters of differential privacy are sound, and whether the privacy is enough, is for the caller to decide. Errors are
// *TaskConfigurationError, *UnsupportedBatchModeError,
// *UnsupportedTaskExtensionError, *EncodeError and *DecodeError.
func (t TaskConfiguration) Validate() error {
	if _, err := t.Encode(); err != nil {
		return err
	}
	if err := checkEndpoint("leader_aggregator_endpoint", t.LeaderAggregatorEndpoint); err != nil {
		return err
	}
	if err := checkEndpoint("helper_aggregator_endpoint", t.HelperAggregatorEndpoint); err != nil {
		return err
	}
	if err := t.TimePrecision.check(); err != nil {
		return &TaskConfigurationError{"time_precision", "0 seconds; it must be at least 1"}
	}
	if t.MinBatchSize == 0 {
		return &TaskConfigurationError{"min_batch_size", "0 reports; it must be at least 1"}
	}
	if !t.BatchMode.IsKnown() {
		return &UnsupportedBatchModeError{t.BatchMode}
	}
	if len(t.BatchConfig) != 0 {
		return &TaskConfigurationError{"batch_config", fmt.Sprintf("%d bytes long; it must be empty for %s", len(t.BatchConfig), t.BatchMode)}
	}
	for _, e := range t.Extensions {
		if e.Type != TaskExtensionTaskInterval && e.Type != TaskExtensionDifferentialPrivacy {
			return &UnsupportedTaskExtensionError{e.Type}
		}
	}
	if _, _, err := t.Privacy(); err != nil {
		return err
	}
	if interval, ok := t.TaskInterval(); ok {
		if err := interval.CheckWellFormed(); err != nil {
			return &TaskConfigurationError{"extensions.task_interval", err.Error()}
		}
	}
	_, err := DecodeVdafConfiguration(t.VdafType, t.VdafConfiguration)
	if _, unknown := errors.AsType[*UnknownVdafError](err); unknown {
		return nil
	}
	return err
}

// checkEndpoint checks that resource URLs can be made from the URL by
// appending a path to it.
func checkEndpoint(field, text string) error {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f {
			return &TaskConfigurationError{field, "has a space or a control character; percent-encode it"}
		}
	}
	u, err := url.Parse(text)
	if err != nil {
		return &TaskConfigurationError{field, "not a URL"}
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return &TaskConfigurationError{field, "not an absolute https (or http) URL"}
	case u.Hostname() == "":
		return &TaskConfigurationError{field, "has no host"}
	case u.User != nil:
		return &TaskConfigurationError{field, "has a user name or password; leave them out, the URL is public"}
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || text[len(text)-1] == '#':
		return &TaskConfigurationError{field, "has a query or a fragment; it must be the base to which resource paths are appended"}
	}
	return nil
}
