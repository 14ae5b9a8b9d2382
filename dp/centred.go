package dp

import (
	"math/big"

	"github.com/twofold-dap/twofold/field"
)

// Unshard adds the encoded aggregate shares and returns the numbers of the result, each between -(p-1)/2 and
// (p-1)/2: what is above (p-1)/2 in the field is taken for negative, as noise may make it. It is for
// results that have noise; without noise no number is negative. A share that is not as many field elements as the
// function's results have is a *field.LengthError or *field.RangeError. Not constant time: the result is what the
// Collector is meant to learn.
func (f Function) Unshard(leader, helper []byte) ([]*big.Int, error) {
	return f.unshard(leader, helper)
}

// unshardCentred is Unshard for one field.
func unshardCentred[E field.Elem](f field.Field[E], length int, leader, helper []byte) ([]*big.Int, error) {
	sum, other := make([]E, length), make([]E, length)
	if err := f.DecodeVec(sum, leader); err != nil {
		return nil, err
	}
	if err := f.DecodeVec(other, helper); err != nil {
		return nil, err
	}
	f.AddVec(sum, sum, other)
	modulus := f.Modulus()
	half := new(big.Int).Rsh(modulus, 1)
	values := make([]*big.Int, length)
	for i, e := range sum {
		if values[i] = f.BigInt(e); values[i].Cmp(half) > 0 {
			values[i].Sub(values[i], modulus)
		}
	}
	return values, nil
}
