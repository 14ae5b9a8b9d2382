package flp

import (
	"errors"
	"math"
	"math/bits"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/field"
)

// TestRangeCheck encodes integers up to all kinds of maxima: what is encoded are
// bits, they decode to the integer, and the largest sum of weights is the
// maximum.
func TestRangeCheck(t *testing.T) {
	f := field.Field128
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.Uint64Range(1, math.MaxUint64).Draw(t, "max_measurement")
		if rapid.Bool().Draw(t, "small") {
			most = most%1000 + 1
		}
		c := must(newRangeCheck(f, "test", "max", most, math.MaxUint64))
		if c.bits != bits.Len64(most) || c.bits != len(c.weights) {
			t.Fatalf("%d bits, %d weights", c.bits, len(c.weights))
		}
		if f.Sum(c.weights) != f.FromUint64(most) {
			t.Fatal("the weights do not add up to the maximum")
		}
		value := rapid.Uint64Range(0, most).Draw(t, "value")
		bit := make([]byte, c.bits)
		if c.encode(bit, value) != 1 {
			t.Fatal("refused")
		}
		if slices.Max(bit) > 1 {
			t.Fatalf("not bits: %v", bit)
		}
		encoded := make([]field.Elem128, c.bits)
		setBits(f, encoded, bit)
		if got := c.decode(f, encoded); got != f.FromUint64(value) {
			t.Fatalf("decoded %v", f.BigInt(got))
		}
		if most < math.MaxUint64 {
			if tooLarge := rapid.Uint64Range(most+1, math.MaxUint64).Draw(t, "too large"); c.encode(bit, tooLarge) != 0 {
				t.Fatal("accepted")
			}
		}
	})
}

// TestRangeCheckSmall compares with encode_range_checked_int, all values of
// all small maxima.
func TestRangeCheckSmall(t *testing.T) {
	for most := uint64(1); most <= 70; most++ {
		c := must(newRangeCheck(field.Field64, "test", "max", most, 70))
		for value := range most + 1 {
			n := bits.Len64(most)
			restAllOnes := uint64(1)<<(n-1) - 1
			rest, last := value, byte(0)
			if value > restAllOnes {
				rest, last = value-(most-restAllOnes), 1
			}
			var want []byte
			for l := range n - 1 {
				want = append(want, byte(rest>>l&1))
			}
			want = append(want, last)
			got := make([]byte, n)
			if c.encode(got, value) != 1 || !slices.Equal(got, want) {
				t.Errorf("%d of at most %d: %v, want %v", value, most, got, want)
			}
		}
	}
}

func TestEncodeAndDecode(t *testing.T) {
	t.Run("Field64", func(t *testing.T) { testEncodeAndDecode(t, field.Field64) })
	t.Run("Field128", func(t *testing.T) { testEncodeAndDecode(t, field.Field128) })
}

// testEncodeAndDecode checks that aggregating one measurement gives it back.
func testEncodeAndDecode[E field.Elem](t *testing.T, f field.Field[E]) {
	one := func(c Circuit[E], meas []E) []E {
		out := make([]E, c.OutputLen())
		c.Truncate(out, meas)
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		count := NewCount(f)
		b := rapid.Bool().Draw(t, "bool")
		if got, err := count.Decode(one(count, encoded(count, count.Encode, b))); err != nil || got != uint64(bitOf(b)) {
			t.Fatalf("Count: %d, %v", got, err)
		}
		most := rapid.Uint64Range(1, 1<<63).Draw(t, "max_measurement")
		sum := must(NewSum(f, most))
		value := rapid.Uint64Range(0, most).Draw(t, "value")
		if got, err := sum.Decode(one(sum, encoded(sum, sum.Encode, value))); err != nil || got != value {
			t.Fatalf("Sum: %d, %v", got, err)
		}
		vector := rapid.SliceOfN(rapid.Uint64Range(0, most), 1, 70).Draw(t, "vector")
		sumVec := must(NewSumVec(f, len(vector), most, 7))
		if got, err := sumVec.Decode(one(sumVec, encoded(sumVec, sumVec.Encode, vector))); err != nil || !slices.Equal(got, vector) {
			t.Fatalf("SumVec: %d, %v", got, err)
		}
		length := rapid.IntRange(1, 200).Draw(t, "length")
		histogram := must(NewHistogram(f, length, 5))
		bucket := rapid.IntRange(0, length-1).Draw(t, "bucket")
		want := make([]uint64, length)
		want[bucket] = 1
		if got, err := histogram.Decode(one(histogram, encoded(histogram, histogram.Encode, bucket))); err != nil || !slices.Equal(got, want) {
			t.Fatalf("Histogram: %d, %v", got, err)
		}
		flags := rapid.SliceOfN(rapid.Bool(), length, length).Draw(t, "flags")
		multihot := must(NewMultihotCountVec(f, length, length, 5))
		for i := range flags {
			want[i] = uint64(bitOf(flags[i]))
		}
		if got, err := multihot.Decode(one(multihot, encoded(multihot, multihot.Encode, flags))); err != nil || !slices.Equal(got, want) {
			t.Fatalf("MultihotCountVec: %d, %v", got, err)
		}
	})
}

func TestMeasurementErrors(t *testing.T) {
	f := field.Field128
	sum := must(NewSum(f, 10))
	sumVec := must(NewSumVec(f, 2, 10, 2))
	histogram := must(NewHistogram(f, 3, 2))
	multihot := must(NewMultihotCountVec(f, 3, 2, 2))
	vec := func(c Circuit[field.Elem128]) []field.Elem128 { return make([]field.Elem128, c.MeasLen()) }
	for i, err := range []error{
		sum.Encode(vec(sum), 11),
		sum.Encode(vec(sum), math.MaxUint64),
		sumVec.Encode(vec(sumVec), []uint64{1}),
		sumVec.Encode(vec(sumVec), []uint64{1, 2, 3}),
		sumVec.Encode(vec(sumVec), []uint64{1, 11}),
		histogram.Encode(vec(histogram), -1),
		histogram.Encode(vec(histogram), 3),
		multihot.Encode(vec(multihot), []bool{true}),
		multihot.Encode(vec(multihot), []bool{true, true, true}),
	} {
		if e := new(MeasurementError); !errors.As(err, &e) {
			t.Errorf("%d: error %v", i, err)
		}
	}
}

func TestDecodeTooLarge(t *testing.T) {
	f := field.Field128
	histogram := must(NewHistogram(f, 3, 2))
	output := []field.Elem128{{}, {Lo: math.MaxUint64}, {Lo: 0, Hi: 1}}
	if _, err := histogram.Decode(output); err == nil {
		t.Error("2^64 decoded")
	} else if e := new(OutputError); !errors.As(err, &e) {
		t.Errorf("error %v", err)
	}
	output[2] = field.Elem128{}
	if got, err := histogram.Decode(output); err != nil || got[1] != math.MaxUint64 {
		t.Errorf("%d, %v", got, err)
	}
}

// TestOptimalChunkLength compares with trying all chunk lengths.
func TestOptimalChunkLength(t *testing.T) {
	f := field.Field128
	proofLen := func(measLen, chunkLength int) int {
		return must(New(Circuit[field.Elem128](must(NewHistogram(f, measLen, chunkLength))))).ProofLen()
	}
	for _, measLen := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 63, 64, 100, 104, 127, 128, 500, 1000, 1023} {
		best := 1
		for chunkLength := 2; chunkLength <= measLen; chunkLength++ {
			if proofLen(measLen, chunkLength) < proofLen(measLen, best) {
				best = chunkLength
			}
		}
		if got := OptimalChunkLength(measLen); got != best {
			t.Errorf("length %d: chunk length %d with a proof of %d, want %d with %d", measLen,
				got, proofLen(measLen, got), best, proofLen(measLen, best))
		}
	}
	for _, measLen := range []int{0, -1, MaxMeasLen + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("length %d did not panic", measLen)
				}
			}()
			OptimalChunkLength(measLen)
		}()
	}
	if got := OptimalChunkLength(MaxMeasLen); got < 1 || got > MaxMeasLen {
		t.Errorf("length %d: chunk length %d", MaxMeasLen, got)
	}
}
