//go:build !purego

package x25519

import (
	"fmt"
	"testing"
)

// SharedSecrets and Pairs as on machines that have less than this one, and as on those with
// everything, where the models stand in for what is missing here.
func TestSharedSecretsOfOtherMachines(t *testing.T) {
	avx2, ifma := hasAVX2, hasIFMA
	defer func() { hasAVX2, hasIFMA = avx2, ifma }()
	t.Logf("this machine has AVX2: %v, AVX-512 IFMA: %v", avx2, ifma)
	for _, has := range [][2]bool{{false, false}, {avx2, false}, {false, ifma}, {avx2, ifma}} {
		hasAVX2, hasIFMA = has[0], has[1]
		t.Run(fmt.Sprintf("AVX2 %v, IFMA %v", has[0], has[1]), func(t *testing.T) {
			TestSharedSecrets(t)
			TestPairs(t)
		})
	}
}

// What is chosen of n, until nothing is left.
func TestFastest(t *testing.T) {
	avx2, ifma := hasAVX2, hasIFMA
	defer func() { hasAVX2, hasIFMA = avx2, ifma }()
	for _, test := range []struct {
		avx2, ifma bool
		n          int
		want       []int
	}{
		{false, false, 3, []int{1, 1, 1}},
		{true, false, 1, []int{1}}, {true, false, 2, []int{1, 1}}, {true, false, 3, []int{3}}, {true, false, 4, []int{4}},
		{true, false, 6, []int{4, 1, 1}}, {true, false, 11, []int{11}}, {true, false, 13, []int{12, 1}},
		{true, true, 1, []int{1}}, {true, true, 2, []int{2}}, {true, true, 9, []int{8, 1}}, {true, true, 64, []int{64}}, {true, true, 66, []int{66}},
	} {
		hasAVX2, hasIFMA = test.avx2, test.ifma
		var got []int
		for left := test.n; left > 0; {
			n, _ := fastest(left)
			if n < 1 || n > left {
				t.Fatalf("%+v: %d of %d", test, n, left)
			}
			got, left = append(got, n), left-n
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
