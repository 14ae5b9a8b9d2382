// Package flp implements the fully linear proofs of VDAF Section 7.3: for each
// validity circuit, a prover's proof that a measurement is valid, and the
// verifier's linear queries on shares of the measurement and of the proof.
//
// A validity circuit is a [Circuit]; the non-affine parts of it are calls to
// gadgets ([Gadget]): [Mul], [PolyEval], and [ParallelSum] of any gadget. The
// circuits of Prio3 (VDAF Section 7.4) are [Count], [Sum], [SumVec],
// [Histogram] and [MultihotCountVec]. [New] makes an [FLP] of a circuit, which
// proves, queries and decides:
//
//	proof_len    = sum over the gadgets of arity + degree*(p-1) + 1
//	verifier_len = 1 + sum over the gadgets of arity + 1
//
// where p, the length of a gadget's wire polynomials, is the smallest power of
// two that is at least 1 + its number of calls. All polynomials are in the
// Lagrange basis.
//
// Circuits, gadgets and FLPs are immutable and safe for concurrent use. What a
// computation needs of working memory it finds in a [Workspace], which one
// goroutine at a time may use, and which saves it from allocating for each
// report.
//
// # Secrets
//
// Measurements, proofs, their shares and all randomness are secret. Their
// values steer no branch and no memory index. Lengths, and whether a proof was
// accepted, are public; no error contains a value. A Workspace keeps what it
// last worked on until it is used again.
package flp

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/twofold-dap/twofold/field"
)

// MaxMeasLen is the largest length of an encoded measurement, in field
// elements, and MaxProofLen that of a proof: 64 MiB each over Field128, more
// than a report is likely to be sent with. They bound the memory that one
// verification takes, whatever the parameters of a task, to about 1 GiB, and keep
// every length far from overflow.
const (
	MaxMeasLen  = 1 << 22
	MaxProofLen = 1 << 22

	// maxWires bounds the inputs of all the calls to a gadget. Those of a
	// measurement of MaxMeasLen elements in chunks are a little over
	// 2*MaxMeasLen.
	maxWires = 4 * MaxMeasLen
)

// ErrTestPoint means that the query randomness happens to be one of the points
// at which wire polynomials encode the measurement: the query is refused,
// since its result would leak a part of it (VDAF Section 7.3.4). It happens
// with negligible probability.
var ErrTestPoint = errors.New("flp: test point is a root of unity")

// GadgetUse is a gadget of a circuit and how many times the circuit calls it.
type GadgetUse[E field.Elem] struct {
	Gadget Gadget[E]
	Calls  int
}

// Circuit is a validity circuit (VDAF Section 7.3.2): it accepts a measurement
// if every element of its output is zero.
type Circuit[E field.Elem] interface {
	// Field is the field that the circuit computes in.
	Field() field.Field[E]
	// Gadgets lists the circuit's gadgets and the number of calls to each (GADGETS
	// and GADGET_CALLS), always the same.
	Gadgets() []GadgetUse[E]
	// MeasLen is the length of an encoded measurement.
	MeasLen() int
	// JointRandLen is the length of the joint randomness, possibly 0.
	JointRandLen() int
	// EvalOutputLen is the length of the circuit's output, at least 1.
	EvalOutputLen() int
	// OutputLen is the length of an aggregatable output.
	OutputLen() int

	// Eval evaluates the circuit on the encoded measurement meas, or on a share of
	// it, and sets out. It is composed of affine operations and of calls to the
	// gadgets through ev, as many as Gadgets says; constants that it adds are to
	// be multiplied by ev.SharesInverse().
	Eval(ev *Evaluator[E], out, meas, jointRand []E)

	// Truncate sets out to the aggregatable output, or a share of it, that follows
	// from meas; it is linear. out and meas do not overlap.
	Truncate(out, meas []E)
}

// FLP is the proof system of one validity circuit.
type FLP[E field.Elem] struct {
	circuit Circuit[E]
	bits    bitCircuit[E] // the circuit, or nil if it is none
	count   *countForm[E] // of a Count
	start   bool          // the output is the start of the measurement
	field   field.Field[E]
	gadgets []gadgetInfo[E]

	measLen, jointRandLen, evalOutputLen, outputLen   int
	proveRandLen, queryRandLen, proofLen, verifierLen int
	maxPolyLen, maxWirePolyLen, maxArity              int
}

// gadgetInfo is a gadget use with the lengths that follow from it.
type gadgetInfo[E field.Elem] struct {
	gadget        Gadget[E]
	calls         int
	arity         int
	wirePolyLen   int // p, a power of two
	gadgetPolyLen int // degree*(p-1) + 1 evaluations are in the proof
	polyLen       int // the next power of two
}

// New returns the proof system of c, or a *ParamError if one of the circuit's
// numbers is out of range.
func New[E field.Elem](c Circuit[E]) (*FLP[E], error) {
	p := &FLP[E]{
		circuit: c, bits: bitCircuitOf(c), count: newCountForm(c), start: outputIsStart(c), field: c.Field(), measLen: c.MeasLen(), jointRandLen: c.JointRandLen(),
		evalOutputLen: c.EvalOutputLen(), outputLen: c.OutputLen(), verifierLen: 1,
	}
	for _, r := range []struct {
		name               string
		value, least, most int
	}{
		{"MEAS_LEN", p.measLen, 1, MaxMeasLen},
		{"JOINT_RAND_LEN", p.jointRandLen, 0, MaxMeasLen},
		{"EVAL_OUTPUT_LEN", p.evalOutputLen, 1, MaxMeasLen},
		{"OUTPUT_LEN", p.outputLen, 1, MaxMeasLen},
	} {
		if r.value < r.least || r.value > r.most {
			return nil, paramError("validity circuit", r.name, r.value, fmt.Sprintf("%d to %d", r.least, r.most))
		}
	}
	for _, use := range c.Gadgets() {
		if err := p.addGadget(use); err != nil {
			return nil, err
		}
	}
	p.queryRandLen = len(p.gadgets)
	if p.evalOutputLen > 1 {
		p.queryRandLen += p.evalOutputLen
	}
	return p, nil
}

// addGadget checks a gadget use and adds its lengths to the FLP's.
func (p *FLP[E]) addGadget(use GadgetUse[E]) error {
	arity, degree, calls := use.Gadget.Arity(), use.Gadget.Degree(), use.Calls
	switch {
	case calls < 1 || calls > MaxMeasLen:
		return paramError("validity circuit", "GADGET_CALLS", calls, fmt.Sprintf("1 to %d", MaxMeasLen))
	case arity < 1 || arity > 2*MaxMeasLen:
		return paramError("gadget", "ARITY", arity, fmt.Sprintf("1 to %d", 2*MaxMeasLen))
	case degree < 1 || degree > MaxProofLen:
		return paramError("gadget", "DEGREE", degree, fmt.Sprintf("1 to %d", MaxProofLen))
	}
	g := gadgetInfo[E]{gadget: use.Gadget, calls: calls, arity: arity, wirePolyLen: WirePolyLen(calls)}
	length := GadgetPolyLen(int64(degree), int64(g.wirePolyLen))
	if int64(p.proofLen)+int64(arity)+length > MaxProofLen {
		return paramError("validity circuit", "PROOF_LEN", int64(p.proofLen)+int64(arity)+length, fmt.Sprintf("at most %d", MaxProofLen))
	}
	if wires := int64(arity) * int64(1+calls); wires > maxWires {
		return paramError("validity circuit", "ARITY * (1 + GADGET_CALLS)", wires, fmt.Sprintf("at most %d", maxWires))
	}
	g.gadgetPolyLen = int(length)
	g.polyLen = nextPowerOf2(g.gadgetPolyLen)

	p.gadgets = append(p.gadgets, g)
	p.proveRandLen += arity
	p.proofLen += arity + g.gadgetPolyLen
	p.verifierLen += arity + 1
	p.maxWirePolyLen = max(p.maxWirePolyLen, g.wirePolyLen)
	p.maxPolyLen = max(p.maxPolyLen, g.polyLen)
	p.maxArity = max(p.maxArity, arity)
	return nil
}

// Circuit is the validity circuit.
func (p *FLP[E]) Circuit() Circuit[E] { return p.circuit }

// Field is the circuit's field.
func (p *FLP[E]) Field() field.Field[E] { return p.field }

// MeasLen is the length of an encoded measurement (MEAS_LEN). Like all the
// lengths of an FLP, it is in field elements.
func (p *FLP[E]) MeasLen() int { return p.measLen }

// OutputLen is the length of an aggregatable output (OUTPUT_LEN).
func (p *FLP[E]) OutputLen() int { return p.outputLen }

// JointRandLen is the length of the joint randomness (JOINT_RAND_LEN).
func (p *FLP[E]) JointRandLen() int { return p.jointRandLen }

// ProveRandLen is the length of the prover randomness (PROVE_RAND_LEN).
func (p *FLP[E]) ProveRandLen() int { return p.proveRandLen }

// QueryRandLen is the length of the query randomness (QUERY_RAND_LEN).
func (p *FLP[E]) QueryRandLen() int { return p.queryRandLen }

// ProofLen is the length of a proof (PROOF_LEN).
func (p *FLP[E]) ProofLen() int { return p.proofLen }

// AddTruncated adds to out, of OutputLen elements, what a block of an encoded
// measurement, or of a share of it, contributes to the aggregatable output
// (truncate of VDAF Section 7.3.2): after all the blocks that is what Truncate gives. offset is
// where in the measurement the block begins. Unless InBlocks, the block must be all of it.
func (p *FLP[E]) AddTruncated(out []E, offset int, block []E) {
	mustLen("out", out, p.outputLen)
	if p.bits != nil {
		p.bits.addTruncated(out, offset, block)
		return
	}
	mustLen("meas", block, p.measLen)
	truncated := make([]E, p.outputLen)
	p.circuit.Truncate(truncated, block)
	p.field.AddVec(out, out, truncated)
}

// OutputIsStart tells whether the aggregatable output is the first OutputLen elements of the encoded
// measurement as they are, so that nobody who has those needs Truncate or AddTruncated.
func (p *FLP[E]) OutputIsStart() bool { return p.start }

// VerifierLen is the length of a verifier message (VERIFIER_LEN).
func (p *FLP[E]) VerifierLen() int { return p.verifierLen }

// WirePolyLen is the length of the wire polynomials of a gadget that is called
// the given number of times (wire_poly_len of VDAF Section 7.3.2).
func WirePolyLen(calls int) int { return nextPowerOf2(1 + calls) }

// GadgetPolyLen is the number of evaluations of a gadget polynomial that are
// in a proof (gadget_poly_len of VDAF Section 7.3.2).
func GadgetPolyLen(degree, wirePolyLen int64) int64 { return degree*(wirePolyLen-1) + 1 }

// nextPowerOf2 returns the smallest power of two that is at least n; n >= 1.
func nextPowerOf2(n int) int { return 1 << bits.Len(uint(n-1)) }

// ParamError reports a parameter of which no circuit, gadget or proof system
// can be made.
type ParamError struct {
	Of        string // what has the parameter: "Histogram"
	Parameter string // its name in the standard: "chunk_length"
	Value     string
	Want      string
}

func (e *ParamError) Error() string {
	return fmt.Sprintf("%s: %s is %s, but must be %s", e.Of, e.Parameter, e.Value, e.Want)
}

func paramError(of, parameter string, value any, want string) error {
	return &ParamError{Of: of, Parameter: parameter, Value: fmt.Sprint(value), Want: want}
}

// MeasurementError reports a measurement that a circuit cannot encode. The
// measurement itself, being secret, is not part of it.
type MeasurementError struct {
	Circuit string
	Problem string
}

func (e *MeasurementError) Error() string {
	return fmt.Sprintf("%s: measurement: %s", e.Circuit, e.Problem)
}

// OutputError reports an aggregated output that does not fit the type of the
// aggregate result.
type OutputError struct {
	Circuit string
	Problem string
}

func (e *OutputError) Error() string {
	return fmt.Sprintf("%s: aggregate result: %s", e.Circuit, e.Problem)
}
