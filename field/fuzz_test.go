package field

import (
	"bytes"
	"errors"
	"testing"

	"github.com/twofold-dap/twofold/internal/fuzzing"
)

func asError[T error](err error, target *T) bool { return errors.As(err, target) }

func FuzzDecodeVec64(f *testing.F)  { fuzzDecodeVec(f, Field64) }
func FuzzDecodeVec128(f *testing.F) { fuzzDecodeVec(f, Field128) }

// fuzzDecodeVec checks that what is decoded is canonical and encodes to the
// same bytes, and that sampling agrees on what is in range.
func fuzzDecodeVec[E Elem](fuzz *testing.F, f Field[E]) {
	size := f.EncodedSize()
	fuzz.Add([]byte{})
	fuzz.Add(bytes.Repeat([]byte{0xFF}, size))
	for _, e := range awkward(f) {
		fuzz.Add(f.EncodeVec(nil, []E{e, e}))
	}
	for _, x := range outOfRange(f) {
		fuzz.Add(littleEndian(x, size))
	}
	fuzzing.Run(fuzz, fuzzing.Limit{}, func(t testing.TB, b []byte) {
		n := len(b) / size
		v := make([]E, n)
		err := f.DecodeVec(v, b)
		sampled := make([]E, n)
		written, used := f.SampleVec(sampled, b)
		if used != n*size {
			t.Fatalf("SampleVec used %d bytes of %d", used, len(b))
		}
		inPlace := make([]E, n)
		if memory := f.Memory(inPlace); memory != nil {
			copy(memory, b)
			if w, u := f.SampleVec(inPlace, memory); w != written || u != used {
				t.Fatalf("in place SampleVec wrote %d and used %d, not %d and %d", w, u, written, used)
			}
			equalVec(t, "SampleVec in place", inPlace[:written], sampled[:written])
		}
		var tooLong *LengthError
		var outside *RangeError
		switch {
		case err == nil:
			if !bytes.Equal(f.EncodeVec(nil, v), b) {
				t.Fatal("what was decoded encodes to other bytes")
			}
			for _, e := range v {
				isCanonical(t, f, e)
			}
			equalVec(t, "SampleVec", sampled[:written], v)
			if memory := f.Memory(v); memory != nil && !bytes.Equal(memory, b) {
				t.Fatal("the vector's memory is not its encoding")
			}
		case errors.As(err, &tooLong):
			if len(b) == n*size {
				t.Fatalf("%d bytes refused: %v", len(b), err)
			}
		case errors.As(err, &outside):
			if written == n {
				t.Fatalf("element %d was refused and sampled", outside.Index)
			}
		default:
			t.Fatalf("an error of another kind: %v", err)
		}
	})
}
