package conformance

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// pingPongTransitions is the number of transitions that the shipped vectors with two shares
// determine.
const pingPongTransitions = 1098

// TestVectorsPingPong runs the reports of the shipped vectors with two shares through
// the ping-pong topology (VDAF Section 5.7.1), a file's reports as one batch, and compares each
// state with what the file's operations say.
func TestVectorsPingPong(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(shippedVectors, "Prio3*.json"))
	if err != nil {
		t.Fatal(err)
	}
	transitions := 0
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file := new(vectorFile)
		if err := decodeStrictly(data, file); err != nil {
			t.Fatal(err)
		}
		if file.Shares != 2 {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			name, _, _ := strings.Cut(filepath.Base(path), "_")
			v, err := newVectorVDAF(name, file)
			if err != nil {
				t.Fatal(err)
			}
			topology, err := pingpong.New(v)
			if err != nil {
				t.Fatal(err)
			}
			p := newPingPong(topology, file)
			p.leaderInit(t)
			p.helperInit(t)
			p.leaderContinued(t)
			transitions += p.transitions
		})
	}
	if transitions != pingPongTransitions {
		t.Errorf("%d transitions were compared; the shipped vectors must determine %d", transitions, pingPongTransitions)
	}
}

// pingPong runs the reports of one file.
type pingPong struct {
	topology    *pingpong.Topology
	file        *vectorFile
	reports     []pingPongReport
	transitions int
}

// pingPongReport is a report with the outcomes that the file gives for the operations on
// it: nil where the operation is not listed.
type pingPongReport struct {
	*vectorReport
	init, next [2]*bool // by aggregator
	message    *bool
	leader     pingpong.State // after LeaderInit
}

func newPingPong(topology *pingpong.Topology, file *vectorFile) *pingPong {
	p := &pingPong{topology: topology, file: file, reports: make([]pingPongReport, len(file.Reports))}
	for i := range p.reports {
		p.reports[i].vectorReport = &file.Reports[i]
	}
	for _, op := range file.Operations {
		switch op.Operation {
		case opVerifyInit:
			p.reports[*op.ReportIndex].init[*op.AggregatorID] = op.Success
		case opMessage:
			p.reports[*op.ReportIndex].message = op.Success
		case opVerifyNext:
			p.reports[*op.ReportIndex].next[*op.AggregatorID] = op.Success
		}
	}
	return p
}

// leaderInit compares the Leader's first state and message with verify_init.
func (p *pingPong) leaderInit(t *testing.T) {
	var batch []*pingPongReport
	var inputs []pingpong.Report
	for i := range p.reports {
		if r := &p.reports[i]; r.init[0] != nil {
			batch = append(batch, r)
			inputs = append(inputs, r.input(0, nil))
		}
	}
	states := p.topology.LeaderInit(p.file.VerifyKey, p.file.Ctx, p.file.AggParam, inputs)
	p.compare(t, "LeaderInit", batch, states, func(r *pingPongReport, state pingpong.State) error {
		r.leader = state
		if !*r.init[0] {
			return p.expect(state, pingpong.Rejected, nil, nil)
		}
		return p.expect(state, pingpong.Continued, message(0, r.VerifierShares[0][0]), nil)
	})
}

// helperInit gives the Helper the Leader's verifier share of the file. Where the file's
// own verifier share of the Helper or verifier message was altered, its state does not
// follow from the file.
func (p *pingPong) helperInit(t *testing.T) {
	var batch []*pingPongReport
	var inputs []pingpong.Report
	for i := range p.reports {
		r := &p.reports[i]
		if r.init[1] != nil && (!*r.init[1] || r.message != nil) {
			batch = append(batch, r)
			inputs = append(inputs, r.input(1, message(0, r.VerifierShares[0][0])))
		}
	}
	states := p.topology.HelperInit(p.file.VerifyKey, p.file.Ctx, p.file.AggParam, inputs)
	p.compare(t, "HelperInit", batch, states, func(r *pingPongReport, state pingpong.State) error {
		if !*r.init[1] || !*r.message || !*r.next[1] {
			return p.expect(state, pingpong.Rejected, nil, nil)
		}
		return p.expect(state, pingpong.FinishedWithOutbound, message(2, r.VerifierMessages[0]), r.OutShares[1])
	})
}

// leaderContinued gives the Leader the verifier message of the file.
func (p *pingPong) leaderContinued(t *testing.T) {
	var batch []*pingPongReport
	var states []pingpong.State
	var inbound [][]byte
	for i := range p.reports {
		if r := &p.reports[i]; r.next[0] != nil {
			batch = append(batch, r)
			states = append(states, r.leader)
			inbound = append(inbound, message(2, r.VerifierMessages[0]))
		}
	}
	states = p.topology.LeaderContinued(p.file.Ctx, p.file.AggParam, states, inbound)
	p.compare(t, "LeaderContinued", batch, states, func(r *pingPongReport, state pingpong.State) error {
		if !*r.next[0] {
			return p.expect(state, pingpong.Rejected, nil, nil)
		}
		return p.expect(state, pingpong.Finished, nil, r.OutShares[0])
	})
}

// compare checks the states of a batch.
func (p *pingPong) compare(t *testing.T, what string, batch []*pingPongReport, states []pingpong.State, check func(*pingPongReport, pingpong.State) error) {
	t.Helper()
	if len(states) != len(batch) {
		t.Fatalf("%s: %d states for %d reports", what, len(states), len(batch))
	}
	for i, r := range batch {
		if err := check(r, states[i]); err != nil {
			t.Errorf("%s, element %d (%s): %v", what, i, r.Comment, err)
		}
		p.transitions++
	}
}

// expect compares a state with what it has to be.
func (p *pingPong) expect(state pingpong.State, kind pingpong.Kind, outbound, outShare []byte) error {
	if state.Kind != kind {
		return fmt.Errorf("the state is %v, not %v (%w)", state.Kind, kind, state.Err)
	}
	if rejected := kind == pingpong.Rejected; rejected != (state.Err != nil) {
		return fmt.Errorf("the state is %v, and the error %w", kind, state.Err)
	}
	if err := same("outbound message", state.Outbound, outbound); err != nil {
		return err
	}
	if (outShare != nil) != (state.OutShare != nil) {
		return fmt.Errorf("the output share is there or not, against the state %v", kind)
	}
	if outShare == nil {
		return nil
	}
	encoded, err := p.topology.Verifier().AppendOutShare(nil, state.OutShare)
	if err != nil {
		return err
	}
	return same("output share", encoded, outShare)
}

func (r *pingPongReport) input(aggregatorID int, inbound []byte) pingpong.Report {
	return pingpong.Report{
		Nonce: r.Nonce, PublicShare: r.PublicShare, InputShare: r.InputShares[aggregatorID], Inbound: inbound,
	}
}

// message encodes a message of one field (VDAF Section 5.7.1) without the help of the code
// under test: the type (0 for initialize, 2 for finish), the field's length in four bytes, the
// field.
func message(messageType byte, field []byte) []byte {
	encoded := binary.BigEndian.AppendUint32([]byte{messageType}, uint32(len(field)))
	return append(encoded, field...)
}
