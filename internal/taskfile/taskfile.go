// Package taskfile reads and writes task files: the public file, in TOML, that
// an analyst hands to both aggregators and to the clients. It holds a task's
// configuration (DAP Section 4.2) and what goes with it: the Collector's HPKE
// configuration, a histogram's edges, labels and a name.
//
// The ID of a task that uses Taskprov is a digest of its configuration
// (Taskprov Section 3.3), and the configuration's task_info ends with a digest
// of everything else in the file. So whoever knows the ID knows the whole file,
// and a file that was altered is refused with an *AlteredError. A task with an
// ID of its own, for peers without Taskprov, has no such protection.
//
// Nothing in a task file is secret.
package taskfile

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"math"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

// File is a task as a task file describes it. Decode and New check everything
// they return; a File is not to be changed afterwards.
type File struct {
	ID dap.TaskID
	// Name is for people.
	Name string
	// Taskprov says that the ID, and the aggregators' verification key, are derived
	// as Taskprov defines.
	Taskprov bool
	// Spec is the VDAF, with a histogram's edges.
	Spec vdafspec.Spec
	// Labels name the numbers of the aggregate result; nil if the author gave none.
	Labels []string
	// Config is the task configuration, and Encoded its encoding.
	Config  dap.TaskConfiguration
	Encoded []byte
	// CollectorHpkeConfig is what the aggregators encrypt their aggregate shares to.
	CollectorHpkeConfig dap.HpkeConfig
}

// Draft is what an author decides about a new task.
type Draft struct {
	Name                string
	Leader, Helper      string // endpoints
	Spec                vdafspec.Spec
	Labels              []string // nil or one for each number of the result
	TimePrecision       time.Duration
	MinBatchSize        uint64
	BatchMode           dap.BatchMode
	Start               time.Time     // start of the task interval; zero for none
	Duration            time.Duration // its length
	CollectorHpkeConfig dap.HpkeConfig
	// Privacy makes a task with differential privacy; nil without.
	Privacy *dp.Parameters
	// OwnID makes a task with a random ID in place of one derived by Taskprov.
	OwnID bool
}

// FieldError says what is wrong with a field of a task file.
type FieldError struct {
	Field   string // as in the file
	Problem string // what is wrong, and what to write instead
}

func (e *FieldError) Error() string { return "task file: " + e.Field + ": " + e.Problem }

// AlteredError says that a task file is not as its author wrote it: its ID does
// not belong to what it says.
type AlteredError struct {
	Stated  dap.TaskID
	Problem string
}

func (e *AlteredError) Error() string {
	return fmt.Sprintf("task file: it was altered: %s; get the file again from the task's author", e.Problem)
}

const (
	nonceLength    = 16
	taskInfoLength = nonceLength + sha256.Size

	maxNameLength  = 100
	maxLabelLength = 200
)

// New makes a task of a draft. Its error is a *FieldError or one of
// dap.TaskConfiguration.Validate.
func New(d Draft) (File, error) {
	f := File{Name: d.Name, Taskprov: !d.OwnID, Spec: d.Spec, Labels: d.Labels, CollectorHpkeConfig: d.CollectorHpkeConfig}
	nonce := make([]byte, nonceLength)
	rand.Read(nonce)
	digest, err := f.digest()
	if err != nil {
		return File{}, err
	}
	precision, err := timePrecision(d.TimePrecision)
	if err != nil {
		return File{}, err
	}
	f.Config = dap.TaskConfiguration{
		TaskInfo:                 append(nonce, digest[:]...),
		LeaderAggregatorEndpoint: d.Leader,
		HelperAggregatorEndpoint: d.Helper,
		TimePrecision:            precision,
		MinBatchSize:             d.MinBatchSize,
		BatchMode:                d.BatchMode,
	}
	if f.Config.VdafType, f.Config.VdafConfiguration, err = d.Spec.Encode(); err != nil {
		return File{}, &FieldError{"vdaf", err.Error()}
	}
	if f.Config.Extensions, err = taskInterval(precision, d.Start, d.Duration); err != nil {
		return File{}, err
	}
	private, err := privacyExtension(d.Privacy)
	if err != nil {
		return File{}, err
	}
	f.Config.Extensions = append(f.Config.Extensions, private...)
	if f.Encoded, err = f.Config.Encode(); err != nil {
		return File{}, err
	}
	f.ID = dap.TaskprovTaskID(f.Encoded)
	if d.OwnID {
		f.ID = dap.NewTaskID()
	}
	return f, f.check()
}

func timePrecision(d time.Duration) (dap.TimePrecision, error) {
	if d < time.Second || d%time.Second != 0 {
		return 0, &FieldError{"time_precision", "must be a whole number of seconds, such as 1h or 300s"}
	}
	return dap.TimePrecision(d / time.Second), nil
}

// taskInterval returns the task_interval extension, none if start is zero.
func taskInterval(precision dap.TimePrecision, start time.Time, duration time.Duration) ([]dap.TaskExtension, error) {
	if start.IsZero() && duration == 0 {
		return nil, nil
	}
	if start.IsZero() {
		return nil, &FieldError{"start", "is missing, and there is a duration; give both or none"}
	}
	if duration <= 0 {
		return nil, &FieldError{"duration", "is missing, and there is a start; give both or none"}
	}
	end := start.Add(duration)
	if end.UTC().Year() > 9999 {
		return nil, &FieldError{"start, duration", "end after the year 9999"}
	}
	interval, err := precision.IntervalOf(start, end)
	if err != nil {
		return nil, &FieldError{"start, duration", err.Error()}
	}
	return []dap.TaskExtension{dap.NewTaskIntervalExtension(interval)}, nil
}

// check checks everything but the syntax.
func (f *File) check() error {
	if err := f.Config.Validate(); err != nil {
		return err
	}
	if err := f.checkNumbers(); err != nil {
		return err
	}
	if err := f.checkPrivacy(); err != nil {
		return err
	}
	if err := checkText("name", f.Name, maxNameLength); err != nil {
		return err
	}
	if f.Labels != nil && len(f.Labels) != f.Spec.ResultLength() {
		return &FieldError{"labels", fmt.Sprintf("there are %d, and the result has %d numbers; give one label for each, or none", len(f.Labels), f.Spec.ResultLength())}
	}
	for _, label := range f.Labels {
		if err := checkText("labels", label, maxLabelLength); err != nil {
			return err
		}
	}
	if err := f.CollectorHpkeConfig.Validate(); err != nil {
		return &FieldError{"collector_hpke_config", err.Error()}
	}
	if f.Taskprov {
		return f.checkUnaltered()
	}
	return nil
}

// checkNumbers refuses numbers that TOML has not.
func (f *File) checkNumbers() error {
	private, _, err := f.Config.Privacy()
	if err != nil {
		return &FieldError{privacyField, err.Error()}
	}
	for _, number := range []struct {
		field string
		value uint64
	}{
		{"min_batch_size", f.Config.MinBatchSize}, {privacyField + ".reports_per_client", private.ReportsPerClient},
		{privacyField + ".reports_per_batch", private.ReportsPerBatch}, {privacyField + ".max_batch_size", private.MaxBatchSize},
	} {
		if number.value > math.MaxInt64 {
			return &FieldError{number.field, fmt.Sprintf("is %d; it must be below 2^63", number.value)}
		}
	}
	return nil
}

// checkUnaltered checks the ID and the digest in task_info.
func (f *File) checkUnaltered() error {
	if f.ID != dap.TaskprovTaskID(f.Encoded) {
		return &AlteredError{f.ID, "its ID no longer matches the configuration"}
	}
	digest, err := f.digest()
	if err != nil {
		return err
	}
	if len(f.Config.TaskInfo) != taskInfoLength || [sha256.Size]byte(f.Config.TaskInfo[nonceLength:]) != digest {
		return &AlteredError{f.ID, "its ID no longer matches the name, the labels, the edges or the Collector's HPKE configuration"}
	}
	return nil
}

// digest is over what the configuration does not hold. All of it is length-prefixed.
func (f *File) digest() ([sha256.Size]byte, error) {
	hpkeConfig, err := f.CollectorHpkeConfig.Encode()
	if err != nil {
		return [sha256.Size]byte{}, &FieldError{"collector_hpke_config", err.Error()}
	}
	var b cryptobyte.Builder
	add := func(v []byte) {
		b.AddUint32LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(v) })
	}
	add([]byte("twofold task file, version 1"))
	add([]byte(f.Name))
	add(hpkeConfig)
	add([]byte(f.Spec.String())) // holds the edges
	b.AddUint32(uint32(len(f.Labels)))
	for _, label := range f.Labels {
		add([]byte(label))
	}
	encoded, err := b.Bytes()
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("task file: %w", err)
	}
	return sha256.Sum256(encoded), nil
}

// ResultLabels names the numbers of the aggregate result: the author's labels,
// else those of a histogram's edges, else nil.
func (f *File) ResultLabels() []string {
	if f.Labels != nil {
		return f.Labels
	}
	return f.Spec.BucketLabels()
}

func checkText(field, text string, most int) error {
	switch {
	case text == "":
		return &FieldError{field, "is empty; write some text"}
	case utf8.RuneCountInString(text) > most:
		return &FieldError{field, fmt.Sprintf("has more than %d characters; shorten it", most)}
	case !utf8.ValidString(text):
		return &FieldError{field, "is not UTF-8"}
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return &FieldError{field, "has a character that cannot be printed; leave it out"}
		}
	}
	return nil
}
