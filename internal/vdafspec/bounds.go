package vdafspec

import (
	"fmt"
	"math/bits"
	"strconv"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/vdaf"
)

// The standard allows VDAFs whose reports are gigabytes long. A task with one,
// by mistake or of a peer that means harm, would take the memory of everyone
// who makes or verifies a report of it.
const (
	// MaxElements is the greatest length of an encoded measurement, and the greatest
	// chunk length, in field elements: a vector of a million bits, or of 65,536
	// numbers of 16 bits.
	MaxElements = 1 << 20
	// MaxInputShare is the greatest length of the Leader's input share, the longest
	// part of a report, in bytes. With it a report fits into the upload that a
	// Leader takes by default.
	MaxInputShare = 24 << 20
)

// checkElements checks the parameters before an instance is made of them: the
// cost of making one grows with the chunk length. Its error is a *vdaf.ParamError.
func checkElements(config dap.VdafConfiguration) error {
	var length, elements, chunk uint64
	switch c := config.(type) {
	case dap.Prio3SumVecConfig:
		length, chunk = uint64(c.Length), uint64(c.ChunkLength)
		elements = length * uint64(bits.Len64(c.MaxMeasurement)) // below 2^32 · 2^7
	case dap.Prio3HistogramConfig:
		length, elements, chunk = uint64(c.Length), uint64(c.Length), uint64(c.ChunkLength)
	case dap.Prio3MultihotCountVecConfig:
		length, chunk = uint64(c.Length), uint64(c.ChunkLength)
		elements = length + uint64(bits.Len64(c.MaxWeight))
	}
	if elements > MaxElements {
		return paramError(config, "length", length, fmt.Sprintf("so small that a measurement has at most %d field elements; it would have %d", MaxElements, elements))
	}
	if chunk > MaxElements {
		return paramError(config, "chunk_length", chunk, fmt.Sprintf("1 to %d", MaxElements))
	}
	return nil
}

// checkInputShare checks how long reports would be. Its error is a *vdaf.ParamError.
func checkInputShare(config dap.VdafConfiguration, verifier vdaf.Verifier) error {
	sized, ok := verifier.(interface{ InputShareSize(aggID int) int })
	if !ok || sized.InputShareSize(0) <= MaxInputShare {
		return nil
	}
	var chunk uint64
	switch c := config.(type) {
	case dap.Prio3SumVecConfig:
		chunk = uint64(c.ChunkLength)
	case dap.Prio3HistogramConfig:
		chunk = uint64(c.ChunkLength)
	case dap.Prio3MultihotCountVecConfig:
		chunk = uint64(c.ChunkLength)
	}
	return paramError(config, "chunk_length", chunk, fmt.Sprintf("nearer to the square root of the measurement's length: an input share would have %d bytes, and may have %d", sized.InputShareSize(0), MaxInputShare))
}

func paramError(config dap.VdafConfiguration, parameter string, value uint64, want string) error {
	return &vdaf.ParamError{VDAF: config.VdafType().String(), Parameter: parameter, Value: strconv.FormatUint(value, 10), Want: want}
}
