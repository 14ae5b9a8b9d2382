package pingpong_test

import (
	"errors"
	"testing"

	"github.com/twofold-dap/twofold/field"
	"github.com/twofold-dap/twofold/flp"
	"github.com/twofold-dap/twofold/vdaf"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// indifferent is a circuit that has joint randomness and does not use it: its
// measurements are valid whatever it is. Those of the standard's circuits come close for some
// measurements, such as a SumVec with every bit set, for a client that makes the proof to match.
type indifferent struct{ *flp.Count[field.Elem128] }

func (indifferent) JointRandLen() int { return 1 }

// TestRejectionAgreement: no aggregator accepts a report that the other rejects
// because the public share has a wrong part of the joint randomness. DAP Section
// 4.5.3.1 relies on that: the Helper has committed before the Leader's last look.
func TestRejectionAgreement(t *testing.T) {
	p, err := vdaf.NewPrio3("Prio3Indifferent", 0xffff0001, indifferent{flp.NewCount(field.Field128)}, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	topology, err := pingpong.New(p)
	if err != nil {
		t.Fatal(err)
	}
	key, ctx, nonce := make([]byte, p.VerifyKeySize()), []byte("agreement"), make([]byte, p.NonceSize())
	public, inputs, err := p.ShardEncoded(ctx, []field.Elem128{field.Field128.FromUint64(1)}, nonce, make([]byte, p.RandSize()))
	if err != nil {
		t.Fatal(err)
	}
	half := len(public) / 2
	for name, wrong := range map[string]struct {
		at     int
		accept bool
	}{"none": {-1, true}, "the Leader's": {0, false}, "the Helper's": {half, false}, "the last byte": {len(public) - 1, false}} {
		share := append([]byte(nil), public...)
		if wrong.at >= 0 {
			share[wrong.at] ^= 1
		}
		reports := func(aggID int) []pingpong.Report {
			return []pingpong.Report{{Nonce: nonce, PublicShare: share, InputShare: inputs[aggID]}}
		}
		leader := topology.LeaderInit(key, ctx, nil, reports(0))
		if leader[0].Kind == pingpong.Rejected {
			if wrong.accept || !errors.Is(leader[0].Err, vdaf.ErrJointRand) {
				t.Errorf("wrong part %s: the Leader rejects: %v", name, leader[0].Err)
			}
			continue
		}
		request := reports(1)
		request[0].Inbound = leader[0].Outbound
		helper := topology.HelperInit(key, ctx, nil, request)
		if helper[0].Kind == pingpong.Rejected {
			if wrong.accept || !errors.Is(helper[0].Err, vdaf.ErrJointRand) {
				t.Errorf("wrong part %s: the Helper rejects: %v", name, helper[0].Err)
			}
			continue
		}
		finished := topology.LeaderContinued(ctx, nil, leader, [][]byte{helper[0].Outbound})
		if !wrong.accept || finished[0].Kind != pingpong.Finished {
			t.Errorf("wrong part %s: the Helper has accepted, and the Leader is %s (%v)", name, finished[0].Kind, finished[0].Err)
		}
	}
}
