package dap

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// VdafType is a codepoint of the VDAF Identifiers registry (VDAF Section 10).
type VdafType uint32

// The VDAFs of the standard.
const (
	VdafTypePrio3Count            VdafType = 1
	VdafTypePrio3Sum              VdafType = 2
	VdafTypePrio3SumVec           VdafType = 3
	VdafTypePrio3Histogram        VdafType = 4
	VdafTypePrio3MultihotCountVec VdafType = 5
	VdafTypePoplar1               VdafType = 6
)

// String returns the standard's name of the VDAF.
func (t VdafType) String() string {
	switch t {
	case VdafTypePrio3Count:
		return "Prio3Count"
	case VdafTypePrio3Sum:
		return "Prio3Sum"
	case VdafTypePrio3SumVec:
		return "Prio3SumVec"
	case VdafTypePrio3Histogram:
		return "Prio3Histogram"
	case VdafTypePrio3MultihotCountVec:
		return "Prio3MultihotCountVec"
	case VdafTypePoplar1:
		return "Poplar1"
	}
	return fmt.Sprintf("VdafType(0x%08x)", uint32(t))
}

// VdafConfiguration is a VDAF's configuration in a task (DAP Appendix B): one
// of Prio3CountConfig, Prio3SumConfig, Prio3SumVecConfig, Prio3HistogramConfig,
// Prio3MultihotCountVecConfig and Poplar1Config. Whether the parameters are in
// the VDAF's range is not checked here.
type VdafConfiguration interface {
	// VdafType returns the VDAF that the configuration is for.
	VdafType() VdafType
	// Encode returns the value of TaskConfiguration.vdaf_configuration.
	Encode() ([]byte, error)
}

// UnknownVdafError says that a task's VDAF is none of those of DAP Appendix B.
type UnknownVdafError struct{ Type VdafType }

func (e *UnknownVdafError) Error() string {
	return fmt.Sprintf("dap: task configuration: vdaf_type: 0x%08x is not a known VDAF", uint32(e.Type))
}

// DecodeVdafConfiguration decodes the configuration of the VDAF of that type.
// Its error is an *UnknownVdafError or a *DecodeError.
func DecodeVdafConfiguration(t VdafType, b []byte) (VdafConfiguration, error) {
	var config VdafConfiguration
	var err error
	s := cryptobyte.String(b)
	switch t {
	case VdafTypePrio3Count:
		config = Prio3CountConfig{}
	case VdafTypePrio3Sum:
		config, err = readPrio3SumConfig(&s)
	case VdafTypePrio3SumVec:
		config, err = readPrio3SumVecConfig(&s)
	case VdafTypePrio3Histogram:
		config, err = readPrio3HistogramConfig(&s)
	case VdafTypePrio3MultihotCountVec:
		config, err = readPrio3MultihotCountVecConfig(&s)
	case VdafTypePoplar1:
		config, err = readPoplar1Config(&s)
	default:
		return nil, &UnknownVdafError{t}
	}
	if err != nil {
		return nil, err
	}
	if err := checkEnd(s, t.String()+"Config"); err != nil {
		return nil, err
	}
	return config, nil
}

// Vdaf decodes the task's VDAF configuration. Its error is an
// *UnknownVdafError or a *DecodeError.
func (t TaskConfiguration) Vdaf() (VdafConfiguration, error) {
	return DecodeVdafConfiguration(t.VdafType, t.VdafConfiguration)
}

// Prio3CountConfig is the configuration of Prio3Count, which has no parameters
// (DAP Appendix B.1).
//
//	struct {} Empty;
type Prio3CountConfig struct{}

// VdafType returns VdafTypePrio3Count.
func (Prio3CountConfig) VdafType() VdafType { return VdafTypePrio3Count }

// Encode returns no bytes.
func (Prio3CountConfig) Encode() ([]byte, error) { return nil, nil }

// Prio3SumConfig is the configuration of Prio3Sum (DAP Appendix B.2).
//
//	struct {
//	  uint64 max_measurement;
//	} Prio3SumConfig;
type Prio3SumConfig struct {
	MaxMeasurement uint64 // the largest summand
}

// VdafType returns VdafTypePrio3Sum.
func (Prio3SumConfig) VdafType() VdafType { return VdafTypePrio3Sum }

func (c *Prio3SumConfig) encode(b *cryptobyte.Builder) { b.AddUint64(c.MaxMeasurement) }

// Encode returns the 8 bytes of the configuration.
func (c Prio3SumConfig) Encode() ([]byte, error) { return encodeMessage(&c, 8) }

func readPrio3SumConfig(s *cryptobyte.String) (c Prio3SumConfig, err error) {
	if !s.ReadUint64(&c.MaxMeasurement) {
		return c, truncated("Prio3SumConfig", "max_measurement")
	}
	return c, nil
}

// Prio3SumVecConfig is the configuration of Prio3SumVec (DAP Appendix B.3).
//
//	struct {
//	  uint32 length;
//	  uint64 max_measurement;
//	  uint32 chunk_length;
//	} Prio3SumVecConfig;
type Prio3SumVecConfig struct {
	Length         uint32 // of the vectors
	MaxMeasurement uint64 // the largest summand
	ChunkLength    uint32 // of each proof chunk
}

// VdafType returns VdafTypePrio3SumVec.
func (Prio3SumVecConfig) VdafType() VdafType { return VdafTypePrio3SumVec }

func (c *Prio3SumVecConfig) encode(b *cryptobyte.Builder) {
	b.AddUint32(c.Length)
	b.AddUint64(c.MaxMeasurement)
	b.AddUint32(c.ChunkLength)
}

// Encode returns the 16 bytes of the configuration.
func (c Prio3SumVecConfig) Encode() ([]byte, error) { return encodeMessage(&c, 16) }

func readPrio3SumVecConfig(s *cryptobyte.String) (c Prio3SumVecConfig, err error) {
	if !s.ReadUint32(&c.Length) {
		return c, truncated("Prio3SumVecConfig", "length")
	}
	if !s.ReadUint64(&c.MaxMeasurement) {
		return c, truncated("Prio3SumVecConfig", "max_measurement")
	}
	if !s.ReadUint32(&c.ChunkLength) {
		return c, truncated("Prio3SumVecConfig", "chunk_length")
	}
	return c, nil
}

// Prio3HistogramConfig is the configuration of Prio3Histogram (DAP Appendix
// B.4).
//
//	struct {
//	  uint32 length;
//	  uint32 chunk_length;
//	} Prio3HistogramConfig;
type Prio3HistogramConfig struct {
	Length      uint32 // number of buckets
	ChunkLength uint32 // of each proof chunk
}

// VdafType returns VdafTypePrio3Histogram.
func (Prio3HistogramConfig) VdafType() VdafType { return VdafTypePrio3Histogram }

func (c *Prio3HistogramConfig) encode(b *cryptobyte.Builder) {
	b.AddUint32(c.Length)
	b.AddUint32(c.ChunkLength)
}

// Encode returns the 8 bytes of the configuration.
func (c Prio3HistogramConfig) Encode() ([]byte, error) { return encodeMessage(&c, 8) }

func readPrio3HistogramConfig(s *cryptobyte.String) (c Prio3HistogramConfig, err error) {
	if !s.ReadUint32(&c.Length) {
		return c, truncated("Prio3HistogramConfig", "length")
	}
	if !s.ReadUint32(&c.ChunkLength) {
		return c, truncated("Prio3HistogramConfig", "chunk_length")
	}
	return c, nil
}

// Prio3MultihotCountVecConfig is the configuration of Prio3MultihotCountVec
// (DAP Appendix B.5).
//
//	struct {
//	  uint32 length;
//	  uint32 chunk_length;
//	  uint64 max_weight;
//	} Prio3MultihotCountVecConfig;
type Prio3MultihotCountVecConfig struct {
	Length      uint32 // of the vectors
	ChunkLength uint32 // of each proof chunk
	MaxWeight   uint64 // the largest number of true entries
}

// VdafType returns VdafTypePrio3MultihotCountVec.
func (Prio3MultihotCountVecConfig) VdafType() VdafType { return VdafTypePrio3MultihotCountVec }

func (c *Prio3MultihotCountVecConfig) encode(b *cryptobyte.Builder) {
	b.AddUint32(c.Length)
	b.AddUint32(c.ChunkLength)
	b.AddUint64(c.MaxWeight)
}

// Encode returns the 16 bytes of the configuration.
func (c Prio3MultihotCountVecConfig) Encode() ([]byte, error) { return encodeMessage(&c, 16) }

func readPrio3MultihotCountVecConfig(s *cryptobyte.String) (c Prio3MultihotCountVecConfig, err error) {
	if !s.ReadUint32(&c.Length) {
		return c, truncated("Prio3MultihotCountVecConfig", "length")
	}
	if !s.ReadUint32(&c.ChunkLength) {
		return c, truncated("Prio3MultihotCountVecConfig", "chunk_length")
	}
	if !s.ReadUint64(&c.MaxWeight) {
		return c, truncated("Prio3MultihotCountVecConfig", "max_weight")
	}
	return c, nil
}

// Poplar1Config is the configuration of Poplar1 (DAP Appendix B.6).
//
//	struct {
//	  uint16 bits;
//	} Poplar1Config;
type Poplar1Config struct {
	Bits uint16 // of the input strings
}

// VdafType returns VdafTypePoplar1.
func (Poplar1Config) VdafType() VdafType { return VdafTypePoplar1 }

func (c *Poplar1Config) encode(b *cryptobyte.Builder) { b.AddUint16(c.Bits) }

// Encode returns the 2 bytes of the configuration.
func (c Poplar1Config) Encode() ([]byte, error) { return encodeMessage(&c, 2) }

func readPoplar1Config(s *cryptobyte.String) (c Poplar1Config, err error) {
	if !s.ReadUint16(&c.Bits) {
		return c, truncated("Poplar1Config", "bits")
	}
	return c, nil
}
