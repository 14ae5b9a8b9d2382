// Package testvdaf is a VDAF for tests only. It has two shares, a number of
// rounds from 1 to 5 that is set at construction, optionally an aggregation
// parameter, and failures that a measurement brings with it (see [Failing]).
//
// It is a stand-in for the schemes of several rounds to come: everything that
// an engine around a VDAF must get right is checked for real. Each verifier
// share is bound to the verification key, the context, the aggregation
// parameter, the nonce, the public share and the round, so that mixing up any
// of them fails verification. It keeps no measurement secret from anyone who
// looks at the shares' failure plan, and it proves nothing about measurements.
package testvdaf

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/twofold-dap/twofold/vdaf"
)

// ID is the algorithm identifier, of the range that is reserved for private
// use (VDAF Section 10).
const ID uint32 = 0xFFFF0001

// MaxRounds is the largest number of rounds.
const MaxRounds = 5

// Lengths in bytes.
const (
	nonceSize         = 16
	verifyKeySize     = 32
	randSize          = 8
	publicShareSize   = 8
	inputShareSize    = 8 + 3
	verifierShareSize = 3 + tagSize
	tagSize           = 16
	aggShareSize      = 8
	aggParamSize      = 2
)

// Config says how an instance behaves.
type Config struct {
	Rounds int // 1 to MaxRounds

	// AggParam gives the VDAF an aggregation parameter: a weight, two bytes,
	// big-endian, at least 1, by which each measurement is multiplied. A batch may
	// be aggregated again with a larger weight, never with the same or a smaller one.
	// Without it the aggregation parameter is empty, and a batch may be aggregated once.
	AggParam bool
}

// VDAF is an instance. It is immutable and safe for concurrent use.
type VDAF struct {
	config Config
}

var _ vdaf.VDAF[uint64, uint64] = (*VDAF)(nil)

// New returns an instance. A number of rounds out of range is a
// *vdaf.ParamError.
func New(config Config) (*VDAF, error) {
	if config.Rounds < 1 || config.Rounds > MaxRounds {
		return nil, &vdaf.ParamError{VDAF: "testvdaf", Parameter: "ROUNDS", Value: fmt.Sprint(config.Rounds), Want: fmt.Sprintf("1 to %d", MaxRounds)}
	}
	return &VDAF{config: config}, nil
}

func (v *VDAF) ID() uint32         { return ID }
func (v *VDAF) Shares() int        { return 2 }
func (v *VDAF) Rounds() int        { return v.config.Rounds }
func (v *VDAF) NonceSize() int     { return nonceSize }
func (v *VDAF) VerifyKeySize() int { return verifyKeySize }
func (v *VDAF) RandSize() int      { return randSize }

// EncodeAggParam encodes the weight of an instance with Config.AggParam.
func EncodeAggParam(weight uint16) []byte { return binary.BigEndian.AppendUint16(nil, weight) }

// weight decodes an aggregation parameter.
func (v *VDAF) weight(aggParam []byte) (uint64, error) {
	if !v.config.AggParam {
		if len(aggParam) != 0 {
			return 0, &vdaf.AggParamError{Problem: fmt.Sprintf("has %d bytes, but must be empty", len(aggParam))}
		}
		return 1, nil
	}
	if len(aggParam) != aggParamSize {
		return 0, &vdaf.AggParamError{Problem: fmt.Sprintf("has %d bytes, but must have %d", len(aggParam), aggParamSize)}
	}
	weight := binary.BigEndian.Uint16(aggParam)
	if weight == 0 {
		return 0, &vdaf.AggParamError{Problem: "is 0, but must be at least 1"}
	}
	return uint64(weight), nil
}

// ValidAggParam implements vdaf.Verifier.
func (v *VDAF) ValidAggParam(aggParam []byte, previous [][]byte) error {
	weight, err := v.weight(aggParam)
	if err != nil {
		return err
	}
	if !v.config.AggParam && len(previous) > 0 {
		return &vdaf.AggParamError{Problem: "the batch was aggregated before, and may be aggregated once only"}
	}
	for _, p := range previous {
		before, err := v.weight(p)
		if err != nil {
			return err
		}
		if weight <= before {
			return &vdaf.AggParamError{Problem: fmt.Sprintf("is %d, but must be larger than %d, which was used before", weight, before)}
		}
	}
	return nil
}

// Shard implements vdaf.VDAF. The measurement's value must be below 2^48; its
// upper 16 bits are a failure plan (see Failing).
func (v *VDAF) Shard(_ []byte, measurement uint64, nonce, rand []byte) ([]byte, [][]byte, error) {
	if len(nonce) != nonceSize {
		return nil, nil, &vdaf.UsageError{Argument: "nonce", Problem: fmt.Sprintf("has %d bytes, but must have %d", len(nonce), nonceSize)}
	}
	if len(rand) != randSize {
		return nil, nil, &vdaf.UsageError{Argument: "rand", Problem: fmt.Sprintf("has %d bytes, but must have %d", len(rand), randSize)}
	}
	failure := failureOf(measurement)
	if !failure.valid() {
		return nil, nil, &vdaf.MeasurementError{VDAF: "testvdaf", Problem: "its upper 16 bits are no failure plan"}
	}
	helper := binary.BigEndian.Uint64(rand)
	leader := measurement&maxValue - helper
	inputShares := [][]byte{
		failure.append(binary.BigEndian.AppendUint64(nil, leader)),
		failure.append(binary.BigEndian.AppendUint64(nil, helper)),
	}
	return publicShare(nonce), inputShares, nil
}

// publicShare is what a report with this nonce must have as its public share.
func publicShare(nonce []byte) []byte {
	sum := sha256.Sum256(append([]byte("testvdaf public share"), nonce...))
	return sum[:publicShareSize]
}

// AggInit implements vdaf.Verifier.
func (v *VDAF) AggInit([]byte) []byte { return make([]byte, aggShareSize) }

// AggUpdate implements vdaf.Verifier.
func (v *VDAF) AggUpdate(aggParam, aggShare []byte, outShares []vdaf.OutShare) ([]byte, error) {
	weight, err := v.weight(aggParam)
	if err != nil {
		return nil, err
	}
	sum, err := decodeAggShare(aggShare)
	if err != nil {
		return nil, err
	}
	for _, s := range outShares {
		out, ok := s.(*outShare)
		if !ok {
			return nil, &vdaf.UsageError{Argument: "output share", Problem: "was made by another VDAF"}
		}
		if uint64(out.weight) != weight {
			return nil, &vdaf.UsageError{Argument: "output share", Problem: "was made with another aggregation parameter"}
		}
		sum += out.value
	}
	return binary.BigEndian.AppendUint64(nil, sum), nil
}

// Merge implements vdaf.Verifier.
func (v *VDAF) Merge(aggParam []byte, aggShares ...[]byte) ([]byte, error) {
	if _, err := v.weight(aggParam); err != nil {
		return nil, err
	}
	sum := uint64(0)
	for _, s := range aggShares {
		x, err := decodeAggShare(s)
		if err != nil {
			return nil, err
		}
		sum += x
	}
	return binary.BigEndian.AppendUint64(nil, sum), nil
}

// Unshard implements vdaf.VDAF: the sum of the measurements' values times the
// weight, modulo 2^64.
func (v *VDAF) Unshard(aggParam []byte, aggShares [][]byte, _ uint64) (uint64, error) {
	if len(aggShares) != v.Shares() {
		return 0, &vdaf.UsageError{Argument: "aggregate shares", Problem: fmt.Sprintf("there are %d, but must be %d", len(aggShares), v.Shares())}
	}
	sum, err := v.Merge(aggParam, aggShares...)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(sum), nil
}

func decodeAggShare(b []byte) (uint64, error) {
	if len(b) != aggShareSize {
		return 0, &vdaf.DecodeError{Message: "aggregate share", Problem: fmt.Sprintf("has %d bytes, but must have %d", len(b), aggShareSize)}
	}
	return binary.BigEndian.Uint64(b), nil
}
