package dp

import (
	"fmt"
	"math/big"

	"github.com/twofold-dap/twofold/field"
)

// Neighbours is the relation between two batches that the Collector must not be able to tell apart. A batch
// has the same number of reports in both, because DAP tells the Collector that number as it is.
type Neighbours uint8

const (
	// ReplaceOne: one report has another measurement.
	ReplaceOne Neighbours = 1
	// RemoveOne: one report counts as a report, and adds nothing to the result.
	RemoveOne Neighbours = 2
)

// String returns "replace one" or "remove one".
func (n Neighbours) String() string {
	switch n {
	case ReplaceOne:
		return "replace one"
	case RemoveOne:
		return "remove one"
	}
	return fmt.Sprintf("Neighbours(%d)", uint8(n))
}

// Function is the aggregation function of a VDAF: a vector of sums over a batch. It is immutable and safe for
// concurrent use. Parameters that the VDAF itself refuses are not refused here.
type Function struct {
	length     int      // elements of the result
	perReport  *big.Int // what one report adds to an element at most
	sensitive  [2]norms // by Neighbours - 1
	encodeSize int      // bytes of an element
	modulus    *big.Int // of the field
	noiseOf    func([]*big.Int) []byte
	add        func(a, b []byte) ([]byte, error)
	unshard    func(leader, helper []byte) ([]*big.Int, error)
}

// norms are the greatest distance between the results of two neighbouring batches.
type norms struct {
	l1        *big.Int // Δ₁: the sum of the differences' absolute values
	l2Squared *big.Int // Δ₂²: the sum of their squares
}

// Count is the function of Prio3Count (VDAF Section 7.4.1).
func Count() Function {
	return newFunction(field.Field64, 1, one, norms{one, one}, norms{one, one})
}

// Sum is the function of Prio3Sum, for measurements of 0 to maxMeasurement (VDAF Section 7.4.2).
func Sum(maxMeasurement uint64) Function {
	m := new(big.Int).SetUint64(maxMeasurement)
	n := norms{m, new(big.Int).Mul(m, m)}
	return newFunction(field.Field64, 1, m, n, n)
}

// SumVec is the function of Prio3SumVec, for vectors of that length with elements of 0 to maxMeasurement
// (VDAF Section 7.4.3).
func SumVec(length int, maxMeasurement uint64) Function {
	d, m := big.NewInt(int64(length)), new(big.Int).SetUint64(maxMeasurement)
	dm := new(big.Int).Mul(d, m)
	n := norms{dm, new(big.Int).Mul(dm, m)}
	return newFunction(field.Field128, length, m, n, n)
}

// Histogram is the function of Prio3Histogram, for that number of buckets (VDAF Section 7.4.4).
func Histogram(length int) Function {
	two := big.NewInt(2)
	return newFunction(field.Field128, length, one, norms{two, two}, norms{one, one})
}

// MultihotCountVec is the function of Prio3MultihotCountVec, for vectors of that length of which at most
// maxWeight elements are true (VDAF Section 7.4.5).
func MultihotCountVec(length int, maxWeight uint64) Function {
	d := uint64(max(length, 0))
	w := min(maxWeight, d)
	replaced := new(big.Int).SetUint64(min(2*w, d)) // 2w does not overflow: w is an int's
	removed := new(big.Int).SetUint64(w)
	return newFunction(field.Field128, length, one, norms{replaced, replaced}, norms{removed, removed})
}

func newFunction[E field.Elem](f field.Field[E], length int, perReport *big.Int, replace, remove norms) Function {
	return Function{
		length: length, perReport: perReport, sensitive: [2]norms{replace, remove},
		encodeSize: f.EncodedSize(), modulus: f.Modulus(),
		noiseOf: func(values []*big.Int) []byte { return encodeNoise(f, values) },
		add:     func(a, b []byte) ([]byte, error) { return addEncoded(f, a, b) },
		unshard: func(leader, helper []byte) ([]*big.Int, error) { return unshardCentred(f, length, leader, helper) },
	}
}

// Length returns the number of elements of the result.
func (f Function) Length() int { return f.length }

// PerReport returns what one report adds to an element of the result at most.
func (f Function) PerReport() *big.Int { return new(big.Int).Set(f.perReport) }

// Sensitivity returns Δ₁ and the square of Δ₂: how far apart the results of two neighbouring batches are at most, as
// the sum of the absolute values of their differences, and as the sum of the squares. It is an error if the
// relation is none of the constants.
func (f Function) Sensitivity(n Neighbours) (l1, l2Squared *big.Int, err error) {
	if n != ReplaceOne && n != RemoveOne {
		return nil, nil, &ParameterError{"neighbouring relation", fmt.Sprintf("is %d; it must be 1 (replace one) or 2 (remove one)", uint8(n))}
	}
	found := f.sensitive[n-1]
	return new(big.Int).Set(found.l1), new(big.Int).Set(found.l2Squared), nil
}

// encodeNoise encodes integers as field elements: x as x mod p, a negative one as p - |x|.
func encodeNoise[E field.Elem](f field.Field[E], values []*big.Int) []byte {
	v := make([]E, len(values))
	for i, x := range values {
		v[i] = f.FromBigInt(x)
	}
	encoded := f.EncodeVec(nil, v)
	clear(v)
	return encoded
}

// addEncoded returns the sum of two encoded vectors of field elements, in constant time.
func addEncoded[E field.Elem](f field.Field[E], a, b []byte) ([]byte, error) {
	sum, other := make([]E, len(b)/f.EncodedSize()), make([]E, len(b)/f.EncodedSize())
	defer clear(other)
	if err := f.DecodeVec(sum, a); err != nil {
		return nil, err
	}
	if err := f.DecodeVec(other, b); err != nil {
		return nil, err
	}
	f.AddVec(sum, sum, other)
	return f.EncodeVec(nil, sum), nil
}
