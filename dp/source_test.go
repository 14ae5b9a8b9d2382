package dp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"testing"
)

// script is a reader of the given words, and of zeros after them.
func script(words ...uint64) *bytes.Reader {
	b := make([]byte, 4*readAhead)
	for i, w := range words {
		binary.LittleEndian.PutUint64(b[8*i:], w)
	}
	return bytes.NewReader(b)
}

// scripted returns a source of the given words.
func scripted(words ...uint64) *source {
	s := newSource(script(words...))
	s.begin()
	return s
}

func fractionOf(num, den int64) *fraction {
	f := new(fraction)
	f.set(big.NewInt(num), big.NewInt(den))
	return f
}

const third = math.MaxUint64 / 3 // each word of the binary expansion of 1/3

// A decision compares the expansions word by word, however long they are the same.
func TestDecisionsAreExact(t *testing.T) {
	const half = 1 << 63
	tests := []struct {
		name     string
		num, den int64
		words    []uint64
		want     bool
		used     int
	}{
		{"below 1/3", 1, 3, []uint64{third - 1}, true, 1},
		{"above 1/3", 1, 3, []uint64{third + 1}, false, 1},
		{"below 1/3 in the second word", 1, 3, []uint64{third, third - 1}, true, 2},
		{"above 1/3 in the third word", 1, 3, []uint64{third, third, third + 1}, false, 3},
		{"below 1/2", 1, 2, []uint64{half - 1}, true, 1},
		{"1/2 itself is not below 1/2", 1, 2, []uint64{half}, false, 1},
		{"0 is not below 0", 0, 5, []uint64{0}, false, 1},
		{"2/3", 2, 3, []uint64{2 * third, 2*third - 1}, true, 2},
	}
	for _, test := range tests {
		s := scripted(test.words...)
		if got := s.less(fractionOf(test.num, test.den)); got != test.want || maxWords-s.words != test.used {
			t.Errorf("%s: less is %v after %d words; want %v after %d", test.name, got, maxWords-s.words, test.want, test.used)
		}
		if test.num != 1 {
			continue
		}
		s = scripted(test.words...)
		if got := s.oneIn(uint64(test.den)); got != test.want || maxWords-s.words != test.used {
			t.Errorf("%s: oneIn is %v after %d words; want %v after %d", test.name, got, maxWords-s.words, test.want, test.used)
		}
	}
	if s := scripted(math.MaxUint64); !s.oneIn(1) || s.words != maxWords {
		t.Error("what is certain is not decided without random bits")
	}
}

// A fraction with more than 64 bits: its words are those of its binary expansion.
func TestLongFraction(t *testing.T) {
	num, _ := new(big.Int).SetString("123456789012345678901234567890123456789", 10)
	den, _ := new(big.Int).SetString("987654321098765432109876543210987654321", 10)
	expansion := new(big.Int).Quo(new(big.Int).Lsh(num, 192), den)
	var words [3]uint64
	for i := range words {
		words[2-i] = new(big.Int).Rsh(expansion, uint(64*i)).Uint64()
	}
	f := new(fraction)
	f.set(num, den)
	for range 2 { // asking does not change it
		if !scripted(words[0], words[1], words[2]-1).less(f) || scripted(words[0], words[1], words[2]+1).less(f) {
			t.Fatal("a decision with a long fraction is wrong")
		}
	}
}

func TestUniformBelow(t *testing.T) {
	x := new(big.Int)
	s := scripted(7, 5, 4, 3)
	if s.below(x, big.NewInt(5)); x.Int64() != 4 || s.words != maxWords-3 {
		t.Errorf("below 5: %v after %d words; want 4 after 3: 7 and 5 are rejected", x, maxWords-s.words)
	}
	if s.below(x, big.NewInt(1)); x.Sign() != 0 || s.words != maxWords-3 {
		t.Errorf("below 1: %v after %d words; want 0 without one", x, maxWords-s.words-3)
	}
	// 2^64 + 3 takes a whole word and a bit of a second.
	n := new(big.Int).Add(new(big.Int).Lsh(one, 64), big.NewInt(3))
	if s = scripted(9, 1, 2, 1); n.Cmp(func() *big.Int { s.below(x, n); return x }()) <= 0 || x.Cmp(new(big.Int).Add(new(big.Int).Lsh(one, 64), big.NewInt(2))) != 0 {
		t.Errorf("below 2^64+3: %v; want 2^64+2: 2^64+9 is rejected", x)
	}
	counts := make([]int, 7)
	s = newSource(testReader(1))
	for range 7000 {
		s.begin()
		s.below(x, big.NewInt(7))
		counts[x.Int64()]++
	}
	statistic := 0.0
	for _, c := range counts {
		statistic += math.Pow(float64(c)-1000, 2) / 1000
	}
	if limit := chiSquareLimit(6); statistic > limit {
		t.Errorf("below 7: chi-square %.1f of %v; at most %.1f", statistic, counts, limit)
	}
}

// failing is a reader that has an error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestBadRandomSources(t *testing.T) {
	laplace, gaussian := mustLaplace(t, big.NewRat(7, 3)), mustGaussian(t, big.NewRat(7, 3))
	cause := errors.New("no entropy")
	for name, sample := range map[string]func(n int) ([]*big.Int, error){
		"laplace":  func(n int) ([]*big.Int, error) { return laplace.Sample(failing{cause}, n) },
		"gaussian": func(n int) ([]*big.Int, error) { return gaussian.Sample(failing{cause}, n) },
	} {
		if values, err := sample(3); !errors.Is(err, cause) || values != nil {
			t.Errorf("%s with a reader that fails: %v, %v", name, values, err)
		}
	}
	// Readers of the same bit for ever, which let an algorithm begin again or count up for ever.
	for name, bit := range map[string]byte{"zeros": 0, "ones": 0xff} {
		for distribution, sample := range map[string]func() ([]*big.Int, error){
			"laplace":  func() ([]*big.Int, error) { return laplace.Sample(constant(bit), 1) },
			"gaussian": func() ([]*big.Int, error) { return gaussian.Sample(constant(bit), 1) },
		} {
			if values, err := sample(); !errors.Is(err, ErrNotRandom) && (err != nil || len(values) != 1) {
				t.Errorf("%s with %s: %v, %v", distribution, name, values, err)
			}
		}
	}
	if _, err := laplace.Sample(constant(0), 1); !errors.Is(err, ErrNotRandom) {
		t.Errorf("zeros for ever: %v; want ErrNotRandom", err)
	}
}

// constant is a reader of one byte for ever.
type constant byte

func (c constant) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(c)
	}
	return len(b), nil
}
