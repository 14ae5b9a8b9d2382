package testvdaf

import (
	"encoding/binary"
	"fmt"

	"github.com/twofold-dap/twofold/vdaf"
)

const (
	stateSize    = 1 + 1 + 2 + 3 + 8 + 32
	outShareSize = 2 + 8
)

// AppendState implements vdaf.Verifier.
func (v *VDAF) AppendState(dst []byte, opaque vdaf.State) ([]byte, error) {
	s, ok := opaque.(*state)
	if !ok {
		return nil, &vdaf.UsageError{Argument: "verification state", Problem: "was made by another VDAF"}
	}
	dst = append(dst, byte(s.aggID), byte(s.round))
	dst = binary.BigEndian.AppendUint16(dst, s.weight)
	dst = s.failure.append(dst)
	dst = binary.BigEndian.AppendUint64(dst, s.value)
	return append(dst, s.binding[:]...), nil
}

// DecodeState implements vdaf.Verifier.
func (v *VDAF) DecodeState(aggID int, aggParam []byte, round int, b []byte) (vdaf.State, error) {
	weight, err := v.weight(aggParam)
	if err != nil {
		return nil, err
	}
	if len(b) != stateSize {
		return nil, &vdaf.DecodeError{Message: "verification state", Problem: fmt.Sprintf("has %d bytes, but must have %d", len(b), stateSize)}
	}
	failure, err := decodeFailure("verification state", b[4:7])
	if err != nil {
		return nil, err
	}
	if aggID < 0 || aggID >= v.Shares() || int(b[0]) != aggID || round < 0 || round >= v.config.Rounds || int(b[1]) != round ||
		uint64(binary.BigEndian.Uint16(b[2:])) != weight {
		return nil, &vdaf.DecodeError{Message: "verification state", Problem: "is of another aggregator, round or aggregation parameter"}
	}
	s := &state{aggID: aggID, round: round, weight: uint16(weight), failure: failure, value: binary.BigEndian.Uint64(b[7:])}
	copy(s.binding[:], b[15:])
	return s, nil
}

// AppendOutShare implements vdaf.Verifier.
func (v *VDAF) AppendOutShare(dst []byte, opaque vdaf.OutShare) ([]byte, error) {
	s, ok := opaque.(*outShare)
	if !ok {
		return nil, &vdaf.UsageError{Argument: "output share", Problem: "was made by another VDAF"}
	}
	dst = binary.BigEndian.AppendUint16(dst, s.weight)
	return binary.BigEndian.AppendUint64(dst, s.value), nil
}

// DecodeOutShare implements vdaf.Verifier.
func (v *VDAF) DecodeOutShare(aggParam, b []byte) (vdaf.OutShare, error) {
	weight, err := v.weight(aggParam)
	if err != nil {
		return nil, err
	}
	if len(b) != outShareSize {
		return nil, &vdaf.DecodeError{Message: "output share", Problem: fmt.Sprintf("has %d bytes, but must have %d", len(b), outShareSize)}
	}
	if uint64(binary.BigEndian.Uint16(b)) != weight {
		return nil, &vdaf.DecodeError{Message: "output share", Problem: "is of another aggregation parameter"}
	}
	return &outShare{weight: uint16(weight), value: binary.BigEndian.Uint64(b[2:])}, nil
}
