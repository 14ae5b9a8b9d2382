package vdaf

import (
	"encoding/binary"
	"fmt"

	"github.com/twofold-dap/twofold/xof"
)

// AppendState implements Verifier. The encoding:
//
//	struct {
//	  uint8 aggregator_id;
//	  Prio3Seed joint_rand_seed;          /* if there is joint randomness */
//	  select (what the helper keeps of the output share) {
//	    case vector: Prio3Field out_share[F * OUTPUT_LEN];
//	    case seed:   Prio3Seed meas_share_seed; opaque domain_separation_tag<8..65535>;
//	  };
//	} StoredPrio3State;
//
// Only an output share of more than 1 MiB may be a seed, so that the length tells which it is.
func (p *Prio3[E]) AppendState(dst []byte, opaque State) ([]byte, error) {
	s, err := p.ownState(opaque)
	if err != nil {
		return nil, err
	}
	dst = append(dst, byte(s.aggID))
	dst = append(dst, s.jointRandSeed[:p.sizes.seed]...)
	if seed := s.outShare.seed; seed != nil {
		dst = binary.BigEndian.AppendUint16(append(dst, seed.seed[:]...), uint16(len(seed.tag)))
		return append(dst, seed.tag...), nil
	}
	return p.field.EncodeVec(dst, s.outShare.vector), nil
}

// DecodeState implements Verifier.
func (p *Prio3[E]) DecodeState(aggID int, aggParam []byte, round int, b []byte) (State, error) {
	if err := checkNoAggParam(aggParam); err != nil {
		return nil, err
	}
	if round != 0 {
		return nil, &DecodeError{Message: "verification state", Problem: fmt.Sprintf("is of round %d, but Prio3 has one round, 0", round)}
	}
	head := 1 + p.sizes.seed
	isSeed := p.seedsForOutShares(aggID) && len(b) != head+p.sizes.outShare
	if !isSeed {
		if err := checkSize("verification state", b, head+p.sizes.outShare); err != nil {
			return nil, err
		}
	} else if len(b) < head {
		return nil, &DecodeError{Message: "verification state", Problem: "is too short"}
	}
	if aggID < 0 || aggID >= p.shares || int(b[0]) != aggID {
		return nil, &DecodeError{Message: "verification state", Problem: fmt.Sprintf("is of aggregator %d, not %d", b[0], aggID)}
	}
	s := &prio3State[E]{aggID: aggID}
	copy(s.jointRandSeed[:p.sizes.seed], b[1:])
	b = b[head:]
	var err error
	if isSeed {
		s.outShare.seed, err = p.decodeOutShareSeed(aggID, b)
	} else {
		s.outShare.vector = make([]E, p.flp.OutputLen())
		err = p.decodeVec("verification state", s.outShare.vector, b)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// decodeOutShareSeed decodes the end of the state of a helper that keeps the seed of its output share.
func (p *Prio3[E]) decodeOutShareSeed(aggID int, b []byte) (*outShareSeed, error) {
	const head = xof.SeedSize + 2
	if len(b) < head || len(b) != head+int(binary.BigEndian.Uint16(b[xof.SeedSize:])) || !p.isMeasShareTag(b[head:]) {
		return nil, &DecodeError{Message: "verification state", Problem: "has neither an output share nor a seed of one"}
	}
	return newOutShareSeed(aggID, b[:xof.SeedSize], b[head:]), nil
}

// AppendOutShare implements Verifier. The encoding is that of an aggregate
// share.
func (p *Prio3[E]) AppendOutShare(dst []byte, opaque OutShare) ([]byte, error) {
	s, err := p.ownOutShare(opaque)
	if err != nil {
		return nil, err
	}
	return s.encode(p, dst), nil
}

// DecodeOutShare implements Verifier.
func (p *Prio3[E]) DecodeOutShare(aggParam, b []byte) (OutShare, error) {
	if err := checkNoAggParam(aggParam); err != nil {
		return nil, err
	}
	vector, err := p.decodeShare("output share", b)
	if err != nil {
		return nil, err
	}
	return &prio3OutShare[E]{vector: vector}, nil
}

// decodeShare decodes an output or aggregate share.
func (p *Prio3[E]) decodeShare(message string, b []byte) ([]E, error) {
	if err := checkSize(message, b, p.sizes.outShare); err != nil {
		return nil, err
	}
	vector := make([]E, p.flp.OutputLen())
	return vector, p.decodeVec(message, vector, b)
}
