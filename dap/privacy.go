package dap

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// TaskExtensionDifferentialPrivacy is the type of the task extension that says with which noise the Aggregators
// make a task's results differentially private (DAP Section 8.5). It is not in the standard's registry (see
// docs/divergences.md).
const TaskExtensionDifferentialPrivacy TaskExtensionType = 0xff01

// PrivacyMechanism is how a task's results are made differentially private. It is a closed enum.
type PrivacyMechanism uint8

const (
	// PrivacyMechanismDiscreteLaplace: pure ε-differential privacy.
	PrivacyMechanismDiscreteLaplace PrivacyMechanism = 1
	// PrivacyMechanismDiscreteGaussian: ρ-zero-concentrated differential privacy.
	PrivacyMechanismDiscreteGaussian PrivacyMechanism = 2
)

// PrivacyNeighbours is the relation between two batches that cannot be told apart. It is a closed enum.
type PrivacyNeighbours uint8

const (
	// PrivacyNeighboursReplaceOne: one report has another measurement.
	PrivacyNeighboursReplaceOne PrivacyNeighbours = 1
	// PrivacyNeighboursRemoveOne: one report adds nothing; the number of reports is public.
	PrivacyNeighboursRemoveOne PrivacyNeighbours = 2
)

// Rational is a rational number above 0 in lowest terms.
//
//	struct {
//	  uint64 numerator;
//	  uint64 denominator;
//	} Rational;
type Rational struct {
	Numerator   uint64
	Denominator uint64
}

// problem says why a rational is not above 0 and in lowest terms.
func (r Rational) problem() string {
	if r.Numerator == 0 || r.Denominator == 0 {
		return "its numerator or its denominator is 0; both must be at least 1"
	}
	a, b := r.Numerator, r.Denominator
	for b != 0 {
		a, b = b, a%b
	}
	if a != 1 {
		return fmt.Sprintf("it is not in lowest terms; divide both of its numbers by %d", a)
	}
	return ""
}

// PrivacyConfig is the data of the task extension differential_privacy. Whether the parameters are sound together, and
// for the task's VDAF, is not checked here.
//
//	enum {
//	  discrete_laplace(1),
//	  discrete_gaussian(2),
//	  (255)
//	} PrivacyMechanism;
//
//	enum {
//	  replace_one(1),
//	  remove_one(2),
//	  (255)
//	} PrivacyNeighbours;
//
//	struct {
//	  PrivacyMechanism mechanism;
//	  PrivacyNeighbours neighbours;
//	  Rational level;
//	  Rational budget;
//	  uint64 reports_per_client;
//	  uint64 reports_per_batch;
//	  uint64 max_batch_size;
//	} DifferentialPrivacyTaskExtension;
type PrivacyConfig struct {
	Mechanism  PrivacyMechanism
	Neighbours PrivacyNeighbours
	// Level is the ε (discrete Laplace) or ρ (discrete Gaussian) that one report loses in the result of its batch.
	Level Rational
	// Budget is the ε or ρ that one client may lose in the whole task.
	Budget Rational
	// ReportsPerClient is how many reports a client has in the task at most, ReportsPerBatch how many in one batch.
	ReportsPerClient, ReportsPerBatch uint64
	// MaxBatchSize is how many reports a batch has at most.
	MaxBatchSize uint64
}

const (
	privacyConfigMessage = "DifferentialPrivacyTaskExtension"
	privacyConfigLength  = 2 + 2*16 + 3*8
)

// enumProblem says which field is no value of its enum.
func (c *PrivacyConfig) enumProblem() (field string, value uint8) {
	if c.Mechanism != PrivacyMechanismDiscreteLaplace && c.Mechanism != PrivacyMechanismDiscreteGaussian {
		return "mechanism", uint8(c.Mechanism)
	}
	if c.Neighbours != PrivacyNeighboursReplaceOne && c.Neighbours != PrivacyNeighboursRemoveOne {
		return "neighbours", uint8(c.Neighbours)
	}
	return "", 0
}

func (c *PrivacyConfig) encode(b *cryptobyte.Builder) {
	const message = privacyConfigMessage
	if field, value := c.enumProblem(); field != "" {
		failEncoding(b, message, field, fmt.Sprintf("%d is not a value of its enum", value))
	}
	b.AddUint8(uint8(c.Mechanism))
	b.AddUint8(uint8(c.Neighbours))
	addRational(b, c.Level, message, "level")
	addRational(b, c.Budget, message, "budget")
	b.AddUint64(c.ReportsPerClient)
	b.AddUint64(c.ReportsPerBatch)
	b.AddUint64(c.MaxBatchSize)
}

// Encode returns the 58 bytes of the extension's data.
func (c PrivacyConfig) Encode() ([]byte, error) { return encodeMessage(&c, privacyConfigLength) }

// DecodePrivacyConfig decodes the data of a differential_privacy extension. Its error is a *DecodeError.
func DecodePrivacyConfig(data []byte) (c PrivacyConfig, err error) {
	const message = privacyConfigMessage
	s := cryptobyte.String(data)
	if !s.ReadUint8((*uint8)(&c.Mechanism)) {
		return PrivacyConfig{}, truncated(message, "mechanism")
	}
	if !s.ReadUint8((*uint8)(&c.Neighbours)) {
		return PrivacyConfig{}, truncated(message, "neighbours")
	}
	if field, value := c.enumProblem(); field != "" {
		return PrivacyConfig{}, unknownValue(message, field, uint64(value))
	}
	if c.Level, err = readRational(&s, message, "level"); err != nil {
		return PrivacyConfig{}, err
	}
	if c.Budget, err = readRational(&s, message, "budget"); err != nil {
		return PrivacyConfig{}, err
	}
	for _, field := range []struct {
		name string
		to   *uint64
	}{{"reports_per_client", &c.ReportsPerClient}, {"reports_per_batch", &c.ReportsPerBatch}, {"max_batch_size", &c.MaxBatchSize}} {
		if !s.ReadUint64(field.to) {
			return PrivacyConfig{}, truncated(message, field.name)
		}
	}
	if err := checkEnd(s, message); err != nil {
		return PrivacyConfig{}, err
	}
	return c, nil
}

func addRational(b *cryptobyte.Builder, r Rational, message, field string) {
	if problem := r.problem(); problem != "" {
		failEncoding(b, message, field, problem)
		return
	}
	b.AddUint64(r.Numerator)
	b.AddUint64(r.Denominator)
}

func readRational(s *cryptobyte.String, message, field string) (r Rational, err error) {
	if !s.ReadUint64(&r.Numerator) || !s.ReadUint64(&r.Denominator) {
		return Rational{}, truncated(message, field)
	}
	if problem := r.problem(); problem != "" {
		return Rational{}, &DecodeError{message, field, problem}
	}
	return r, nil
}

// NewPrivacyExtension returns the differential_privacy extension with these parameters. Its error is an *EncodeError.
func NewPrivacyExtension(c PrivacyConfig) (TaskExtension, error) {
	data, err := c.Encode()
	if err != nil {
		return TaskExtension{}, err
	}
	return TaskExtension{Type: TaskExtensionDifferentialPrivacy, Data: data}, nil
}

// Privacy returns the parameters of the differential_privacy extension, and false if the task has none. The error
// is a *DecodeError.
func (t TaskConfiguration) Privacy() (c PrivacyConfig, ok bool, err error) {
	for _, e := range t.Extensions {
		if e.Type == TaskExtensionDifferentialPrivacy {
			c, err = DecodePrivacyConfig(e.Data)
			return c, err == nil, err
		}
	}
	return PrivacyConfig{}, false, nil
}
