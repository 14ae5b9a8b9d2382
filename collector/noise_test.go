package collector

import (
	"encoding/binary"
	"errors"
	"math/big"
	"testing"

	"github.com/twofold-dap/twofold/dp"
)

// noisySum is the mechanism of sums of 0 to 100, with the scale 100/ε = 200.
func noisySum(t *testing.T) *dp.Mechanism {
	t.Helper()
	m, err := dp.NewMechanism(dp.Sum(100), dp.Parameters{
		Kind: dp.PureEpsilon, Neighbours: dp.ReplaceOne, Level: big.NewRat(1, 2), Budget: big.NewRat(1, 2),
		ReportsPerClient: 1, ReportsPerBatch: 1, MaxBatchSize: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestNoisyNumbersAreCentred(t *testing.T) {
	const p = 1<<64 - 1<<32 + 1
	for _, test := range []struct {
		leader, helper uint64
		value          int64
		clamped        uint64
	}{{20, 30, 50, 50}, {p - 1, 0, -1, 0}, {p - 7, 3, -4, 0}, {p - 3, 7, 4, 4}, {0, 0, 0, 0}} {
		n, err := newNoise(noisySum(t), binary.LittleEndian.AppendUint64(nil, test.leader), binary.LittleEndian.AppendUint64(nil, test.helper))
		if err != nil {
			t.Fatal(err)
		}
		var single uint64
		var several []uint64
		if !n.clampInto(&single) || !n.clampInto(&several) || single != test.clamped || len(several) != 1 || several[0] != test.clamped {
			t.Errorf("%+v: clamped to %d and %v", test, single, several)
		}
		low, high := n.Interval(0)
		if n.Values[0].Cmp(big.NewInt(test.value)) != 0 || new(big.Int).Sub(high, low).Cmp(new(big.Int).Lsh(n.Margin95, 1)) != 0 {
			t.Errorf("%+v: %v, %v to %v", test, n.Values, low, high)
		}
		if n.Scale.RatString() != "200" || n.StandardError < 399 || n.StandardError > 401 || n.Description == "" {
			t.Errorf("%+v", n)
		}
	}
	if _, err := newNoise(noisySum(t), make([]byte, 9), make([]byte, 8)); err == nil {
		t.Error("a share of 9 bytes was taken")
	}
}

func TestNoisyTypes(t *testing.T) {
	err := checkNoisyType[int]()
	if _, ok := errors.AsType[*TaskError](err); !ok || checkNoisyType[uint64]() != nil || checkNoisyType[[]uint64]() != nil {
		t.Errorf("int: %v", err)
	}
	if clamp(new(big.Int).Lsh(big.NewInt(1), 70)) != 1<<64-1 {
		t.Error("2^70")
	}
}
