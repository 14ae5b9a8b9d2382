package xof

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/field"
)

// TestSpongesAgainstModel lets the ways of this machine absorb and squeeze from any state, at
// any address, and compares states and blocks with those of the permutation in Go.
func TestSpongesAgainstModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		blocks := rapid.IntRange(0, 5).Draw(r, "blocks")
		offset := rapid.IntRange(0, 9).Draw(r, "offset")
		squeeze := rapid.Bool().Draw(r, "squeeze")
		var ones, models [4]sponge
		var data [4][]byte // behind the blocks is what no way may touch
		for k := range ones {
			random := rapid.SliceOfN(rapid.Byte(), 8*len(ones[k].state), 8*len(ones[k].state)).Draw(r, "state")
			for i := range ones[k].state {
				ones[k].state[i] = binary.LittleEndian.Uint64(random[8*i:])
			}
			models[k] = ones[k]
			data[k] = pattern(offset + 100*k + blocks*rate + 50)[offset+100*k:]
		}
		want := cloneLanes(data)
		for k := range models {
			if squeeze {
				models[k].squeezeGeneric(want[k][:blocks*rate])
			} else {
				models[k].absorbGeneric(want[k][:blocks*rate])
			}
		}
		for _, way := range ways() {
			got, states := runSponge4(way, ones, cloneLanes(data), blocks, squeeze)
			for k := range models {
				if states[k] != models[k].state || !bytes.Equal(got[k], want[k]) {
					r.Fatalf("way %d, lane %d: not what the model gives", way, k)
				}
			}
		}
		for _, run := range singleWays() {
			for k, one := range ones {
				got := slices.Clone(data[k])
				run(&one, got[:blocks*rate], squeeze)
				if one != models[k] || !bytes.Equal(got, want[k]) {
					r.Fatalf("alone, lane %d: not what the model gives", k)
				}
			}
		}
	})
}

// singleWays returns the ways to absorb or to squeeze with one state: what the machine does by itself, and
// each routine that it can run.
func singleWays() []func(s *sponge, blocks []byte, squeeze bool) {
	ways := []func(s *sponge, blocks []byte, squeeze bool){func(s *sponge, blocks []byte, squeeze bool) {
		if squeeze {
			s.squeeze(blocks)
		} else {
			s.absorb(blocks)
		}
	}}
	type routine func(*[stateWords]uint64, *[keccakRounds]uint64, *[1]*byte, uint64, uint64)
	for _, has := range []struct {
		it  bool
		run routine
	}{{hasAVX512, sponge1AVX512}, {hasBMI2, sponge1BMI2}} {
		if !has.it {
			continue
		}
		ways = append(ways, func(s *sponge, blocks []byte, squeeze bool) {
			n, what := len(blocks)/rate, uint64(absorbing)
			if squeeze {
				what = squeezing
			}
			if n > 0 {
				has.run(&s.state, &roundConstants, &[1]*byte{&blocks[0]}, uint64(n), what)
			}
		})
	}
	return ways
}

// runSponge4 runs four states side by side, and returns the blocks and the states.
func runSponge4(way permutation, states [4]sponge, blocks [4][]byte, n int, squeeze bool) ([4][]byte, [4][25]uint64) {
	var s sponge4
	s.reset(way)
	s.single = states
	for i := range s.words {
		s.words[i] = states[i%4].state[i/4]
	}
	if squeeze {
		s.squeeze(blocks, n)
	} else {
		s.absorb(blocks, n)
	}
	var after [4][25]uint64
	for i := range 4 * 25 {
		after[i%4][i/4] = s.single[i%4].state[i/4]
		if s.permutation != oneByOne {
			after[i%4][i/4] = s.words[i]
		}
	}
	return blocks, after
}

func cloneLanes(lanes [4][]byte) [4][]byte {
	for k := range lanes {
		lanes[k] = slices.Clone(lanes[k])
	}
	return lanes
}

// TestLanesThatShareMemory gives the lanes that are left over the first one's stream and
// its vector, and rejects candidates.
func TestLanesThatShareMemory(t *testing.T) {
	everyWay(t, func(t *testing.T, how permutation) {
		picky := pickyField[field.Elem64]{field.Field64, 100}
		four := &Stream4{permute: how}
		seed, other := pattern(32), pattern(33)[1:]
		if err := four.Reset([4][]byte{seed, other, seed, seed}, nil); err != nil {
			t.Fatal(err)
		}
		var ones [2]Stream
		for k, s := range [][]byte{seed, other} {
			if err := ones[k].Reset(s, nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range []int{1, 500, 3, 21} {
			a, b := make([]field.Elem64, n), make([]field.Elem64, n)
			NextVec4(four, picky, [4][]field.Elem64{a, b, a, a})
			for k, got := range [][]field.Elem64{a, b} {
				if want := nextVecByTheStandard(&ones[k], picky, n); !slices.Equal(got, want) {
					t.Fatalf("lane %d, %d elements: another output", k, n)
				}
			}
		}
	})
}
