package xof

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/field"
)

// newFour returns four streams and the four single ones that must agree with
// them, over messages that differ from lane to lane.
func newFour(t testing.TB, how permutation, dst []byte, binderLength int) (*Stream4, [4]*Stream) {
	t.Helper()
	four := &Stream4{permute: how}
	var ones [4]*Stream
	var seeds, binders [4][]byte
	for k := range seeds {
		seeds[k] = pattern(SeedSize + k)[k:]
		binders[k] = pattern(binderLength + 7*k)[7*k:]
		one, err := New(seeds[k], dst)
		if err != nil {
			t.Fatal(err)
		}
		one.Write(binders[k])
		ones[k] = one
	}
	if err := four.Reset(seeds, dst); err != nil {
		t.Fatal(err)
	}
	four.Write4(binders)
	return four, ones
}

// ways returns the ways to permute four states that this machine can run.
func ways() []permutation {
	can := []permutation{oneByOne}
	if hasAVX2 {
		can = append(can, avx2)
	}
	if hasAVX512 {
		can = append(can, avx512)
	}
	return can
}

func everyWay(t *testing.T, test func(t *testing.T, how permutation)) {
	for _, how := range ways() {
		t.Run([]string{oneByOne: "one by one", avx2: "AVX2", avx512: "AVX-512"}[how],
			func(t *testing.T) { test(t, how) })
	}
}

func TestFourAgainstOne(t *testing.T) {
	everyWay(t, func(t *testing.T, how permutation) {
		lengths := []int{1000, 4096}
		for around := 0; around <= 3*rate; around += rate {
			for d := -9; d <= 9; d++ {
				lengths = append(lengths, max(0, around+d))
			}
		}
		for _, absorbed := range lengths {
			for _, read := range []int{1, 32, rate, rate + 1, 9*rate + 5} {
				four, ones := newFour(t, how, pattern(13), absorbed)
				compareRead(t, four, ones, [4]int{read, read, read, read})
				compareRead(t, four, ones, [4]int{40, 40, 40, 40})
			}
		}
	})
}

func compareRead(t *testing.T, four *Stream4, ones [4]*Stream, lengths [4]int) {
	t.Helper()
	var got [4][]byte
	for k := range got {
		got[k] = make([]byte, lengths[k])
	}
	four.Read4(got)
	for k, one := range ones {
		want := make([]byte, lengths[k])
		one.Read(want)
		if !bytes.Equal(got[k], want) {
			t.Fatalf("lane %d, reading %d: another output", k, lengths[k])
		}
	}
}

func compareVec[E field.Elem](t *testing.T, f field.Field[E], four *Stream4, ones [4]*Stream, lengths [4]int) {
	t.Helper()
	var got [4][]E
	for k := range got {
		got[k] = make([]E, lengths[k])
	}
	NextVec4(four, f, got)
	for k, one := range ones {
		want := make([]E, lengths[k])
		NextVec(one, f, want)
		if !slices.Equal(got[k], want) {
			t.Fatalf("lane %d, %d elements: another output", k, lengths[k])
		}
	}
}

// TestFourInPieces absorbs and reads in pieces of every kind.
func TestFourInPieces(t *testing.T) {
	everyWay(t, func(t *testing.T, how permutation) {
		rapid.Check(t, func(r *rapid.T) {
			four, ones := newFour(t, how, pattern(rapid.IntRange(0, 200).Draw(r, "dst")), 0)
			for _, n := range rapid.SliceOfN(rapid.IntRange(0, 700), 0, 5).Draw(r, "absorbed") {
				var pieces [4][]byte
				var vectors [4][]field.Elem128
				for k := range pieces {
					pieces[k] = pattern(n + k)[k:]
					vectors[k] = make([]field.Elem128, n/2)
					for i := range vectors[k] {
						vectors[k][i] = field.Elem128{Lo: uint64(i * n), Hi: uint64(k)}
					}
					ones[k].Write(pieces[k])
					ones[k].Write(field.Field128.EncodeVec(nil, vectors[k]))
				}
				four.Write4(pieces)
				WriteVec4(four, field.Field128, vectors)
			}
			for range 4 {
				lengths := [4]int(rapid.SliceOfN(rapid.IntRange(0, 900), 4, 4).Draw(r, "read"))
				switch rapid.IntRange(0, 2).Draw(r, "kind") {
				case 0:
					compareRead(t, four, ones, lengths)
				case 1:
					compareVec(t, field.Field128, four, ones, lengths)
				default:
					compareVec(t, field.Field64, four, ones, lengths)
				}
			}
		})
	})
}

func TestWriteVecIsWriteOfTheEncoding(t *testing.T) {
	for _, n := range []int{0, 1, 2, 10, 11, 93, 94, 95, 189, 190, 1000} {
		v64, v128 := make([]field.Elem64, n), make([]field.Elem128, n)
		field.Field64.Powers(v64, 3)
		field.Field128.Powers(v128, field.Elem128{Hi: 5})
		a, err := New(pattern(32), pattern(9))
		if err != nil {
			t.Fatal(err)
		}
		b, err := New(pattern(32), pattern(9))
		if err != nil {
			t.Fatal(err)
		}
		WriteVec(a, field.Field64, v64)
		WriteVec(a, field.Field128, v128)
		b.Write(field.Field64.EncodeVec(nil, v64))
		b.Write(field.Field128.EncodeVec(nil, v128))
		compareStreams(t, a, b, 100)
	}
}

func compareStreams(t *testing.T, a, b *Stream, n int) {
	t.Helper()
	got, want := make([]byte, n), make([]byte, n)
	a.Read(got)
	b.Read(want)
	if !bytes.Equal(got, want) {
		t.Fatal("another output")
	}
}

// pickyField is a field whose SampleVec takes only candidates whose low byte is
// below limit. Out of a real field's range is one candidate in 2^32 at
// most; this rejects as many as a test likes.
type pickyField[E field.Elem] struct {
	field.Field[E]
	limit byte
}

func (f pickyField[E]) SampleVec(dst []E, src []byte) (written, used int) {
	size := f.EncodedSize()
	for written < len(dst) && len(src)-used >= size {
		candidate := src[used : used+size]
		if candidate[0] < f.limit {
			// A candidate that the real field rejects is not met in a test.
			w, _ := f.Field.SampleVec(dst[written:], candidate)
			written += w
		}
		used += size
	}
	return written, used
}

// nextVecByTheStandard is next_vec of VDAF Section 6.2, one candidate at a time.
func nextVecByTheStandard[E field.Elem](s *Stream, f pickyField[E], n int) []E {
	vec := make([]E, 0, n)
	candidate := make([]byte, f.EncodedSize())
	for len(vec) < n {
		s.Read(candidate)
		if candidate[0] < f.limit {
			var e [1]E
			f.Field.SampleVec(e[:], candidate)
			vec = append(vec, e[0])
		}
	}
	return vec
}

// TestRejection lets each lane reject on its own, so often that one lane needs several
// times the blocks of another, and then reads on.
func TestRejection(t *testing.T) {
	t.Run("Field64", func(t *testing.T) { testRejection(t, field.Field64) })
	t.Run("Field128", func(t *testing.T) { testRejection(t, field.Field128) })
}

func testRejection[E field.Elem](t *testing.T, f field.Field[E]) {
	everyWay(t, func(t *testing.T, how permutation) {
		for _, limit := range []byte{6, 40, 128, 250} {
			picky := pickyField[E]{f, limit}
			four, ones := newFour(t, how, nil, 3)
			_, again := newFour(t, how, nil, 3)
			for _, lengths := range [][4]int{{1, 1, 1, 1}, {100, 100, 100, 100}, {0, 3, 500, 0}, {17, 17, 17, 17}} {
				var got [4][]E
				for k := range got {
					got[k] = make([]E, lengths[k])
				}
				NextVec4(four, picky, got)
				for k := range got {
					want := nextVecByTheStandard(ones[k], picky, lengths[k])
					if !slices.Equal(got[k], want) {
						t.Fatalf("limit %d: lane %d of four, %d elements: another output", limit, k, lengths[k])
					}
					one := make([]E, lengths[k])
					NextVec(again[k], picky, one)
					if !slices.Equal(one, want) {
						t.Fatalf("limit %d: stream %d, %d elements: another output", limit, k, lengths[k])
					}
				}
			}
			compareRead(t, four, ones, [4]int{1000, 10, 0, 200})
		}
	})
}

// TestSampledFromCraftedBytes runs the real fields' rejection through a stream whose
// next bytes are set by the test: out of range, at the edge, in range.
func TestSampledFromCraftedBytes(t *testing.T) {
	s, err := New(pattern(32), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.beginReading()
	room := s.out.grow(1)
	words := []uint64{1<<64 - 1, 1<<64 - 1<<32 + 1, 1<<64 - 1<<32, 7, 1<<64 - 1<<32 + 2, 8}
	for i := range rateWords {
		word := words[len(words)-1]
		if i < len(words) {
			word = words[i]
		}
		binary.LittleEndian.PutUint64(room[8*i:], word)
	}
	got := make([]field.Elem64, 3)
	NextVec(s, field.Field64, got)
	if want := []field.Elem64{1<<64 - 1<<32, 7, 8}; !slices.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	if left := len(s.out.unread()); left != rate-6*8 {
		t.Errorf("%d bytes are left, want %d", left, rate-6*8)
	}
}

func TestResetForgetsEverything(t *testing.T) {
	everyWay(t, func(t *testing.T, how permutation) {
		four, _ := newFour(t, how, pattern(20), 500)
		compareAfterReset := func() {
			_, ones := newFour(t, how, pattern(9), 40)
			seeds := [4][]byte{pattern(32), pattern(33)[1:], pattern(34)[2:], pattern(35)[3:]}
			if err := four.Reset(seeds, pattern(9)); err != nil {
				t.Fatal(err)
			}
			four.Write4([4][]byte{pattern(40), pattern(47)[7:], pattern(54)[14:], pattern(61)[21:]})
			compareRead(t, four, ones, [4]int{100, 100, 100, 100})
			compareRead(t, four, ones, [4]int{200, 200, 0, 500})
		}
		compareAfterReset()
		four.Read4([4][]byte{make([]byte, 5), nil, nil, nil})
		compareAfterReset()
		four.Read4([4][]byte{make([]byte, 2*bufferSize), nil, nil, nil}) // the other lanes need larger memory
		compareAfterReset()
	})
	one, err := New(pattern(32), nil)
	if err != nil {
		t.Fatal(err)
	}
	one.Read(make([]byte, 11))
	if err := one.Reset(pattern(31), pattern(3)); err != nil {
		t.Fatal(err)
	}
	fresh, err := New(pattern(31), pattern(3))
	if err != nil {
		t.Fatal(err)
	}
	compareStreams(t, one, fresh, 500)
}

func TestReuseDoesNotAllocate(t *testing.T) {
	seed, dst := pattern(32), pattern(30)
	seeds := [4][]byte{seed, seed, seed, seed}
	vec := make([]field.Elem128, 500)
	vecs := [4][]field.Elem128{vec, vec, vec, vec}
	one, four := new(Stream), new(Stream4)
	for what, do := range map[string]func(){
		"one": func() {
			if err := one.Reset(seed, dst); err != nil {
				t.Error(err)
			}
			WriteVec(one, field.Field128, vec)
			NextVec(one, field.Field128, vec)
			one.Read(seed)
		},
		"four": func() {
			if err := four.Reset(seeds, dst); err != nil {
				t.Error(err)
			}
			WriteVec4(four, field.Field128, vecs)
			NextVec4(four, field.Field128, vecs)
			four.Read4(seeds)
		},
		"derive": func() {
			if _, err := DeriveSeed(seed, dst, seed, dst); err != nil {
				t.Error(err)
			}
		},
	} {
		if n := testing.AllocsPerRun(10, do); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

func ExampleExpandIntoVec() {
	seed := Seed{} // from crypto/rand
	prefix := FormatDST(0, 1, 2)
	dst := append(prefix[:], "example"...)
	vec := make([]field.Elem64, 2)
	if err := ExpandIntoVec(field.Field64, vec, seed[:], dst, []byte("binder")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(len(vec))
	// Output: 2
}
