package x25519

// fe4 is a field element in each of four lanes: limb i of lane k is fe4[i][k].
// The limbs have 26 bits where i is even and 25 where it is odd, and weigh
// 2^ceil(25.5 * i). It may hold more than that: see lanes4_generic.go.
type fe4 = [10][4]uint64

// offset4 and size4 say which bits of an integer limb i holds.
func offset4(i int) int { return (51*i + 1) / 2 }
func size4(i int) int   { return 26 - i%2 }

// ladder4 is the state of four ladders: the elements x_1, x_2, z_2, x_3 and z_3
// of RFC 7748 Section 5, but that the points 2 and 3 are not swapped back:
// 2 is always the one that was doubled.
//
// It is made on the heap, in a work4, where allocations of its size are aligned to cache
// lines: so the assembly's arguments are not marked noescape.
type ladder4 = [5]fe4

// The elements of ladder4 and ladder8.
const (
	x1 = iota
	x2
	z2
	x3
	z3
)

// work4 is what one batch needs, group after group.
type work4 struct {
	ladder ladder4
	powers [8]fe4
}

// sharedSecrets4 computes shared secrets in groups of up to four.
func sharedSecrets4(scalars, publics, secrets [][Size]byte) {
	w := new(work4)
	for done := 0; done < len(publics); {
		end := min(done+4, len(publics))
		w.group(part(scalars, done, end), publics[done:end], secrets[done:end])
		done = end
	}
}

// group computes as many shared secrets as there are lanes, or fewer.
func (w *work4) group(scalars, publics, secrets [][Size]byte) {
	w.ladder = ladder4{}
	l := &w.ladder
	for lane := range publics {
		u := decodeUCoordinate(&publics[lane])
		for i := range fe4Limbs {
			l[x1][i][lane] = u.limb(offset4(i), size4(i))
		}
	}
	l[x3] = l[x1]
	l[x2][0] = [4]uint64{1, 1, 1, 1}
	l[z3][0] = [4]uint64{1, 1, 1, 1}
	var swap uint64
	for t := 254; t >= 0; t-- {
		b := scalarBits(scalars, t)
		ladderStep4(l, swap^b)
		swap = b
	}
	// The last bit of a clamped scalar is 0: point 2 is the result, and nothing
	// is left to be swapped.
	invert4(&l[z2], &l[z2], &w.powers)
	mul4(&l[x2], &l[x2], &l[z2])
	for lane := range secrets {
		var u words
		for i := range fe4Limbs {
			u = u.plus(shifted(l[x2][i][lane], offset4(i)))
		}
		u.encodeUCoordinate(&secrets[lane])
	}
}

const fe4Limbs = len(fe4{})

// invert4 sets out = z^(p-2), which is 1/z, or 0 for 0. The names say for which
// k they hold z^(2^k - 1); p - 2 = 2^255 - 21 = (2^250 - 1) * 2^5 + 11.
// It uses up t.
func invert4(out, z *fe4, t *[8]fe4) {
	z9, z11, k5, k10, k20, k50, k100, next := &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]
	square4(next, z, 1)  // z^2
	square4(z9, next, 2) // z^8
	mul4(z9, z9, z)      // z^9
	mul4(z11, z9, next)  // z^11
	square4(k5, z11, 1)  // z^22
	mul4(k5, k5, z9)     // z^31
	square4(k10, k5, 5)
	mul4(k10, k10, k5)
	square4(k20, k10, 10)
	mul4(k20, k20, k10)
	square4(next, k20, 20)
	mul4(next, next, k20) // k = 40
	square4(k50, next, 10)
	mul4(k50, k50, k10)
	square4(k100, k50, 50)
	mul4(k100, k100, k50)
	square4(next, k100, 100)
	mul4(next, next, k100) // k = 200
	square4(next, next, 50)
	mul4(next, next, k50) // k = 250
	square4(next, next, 5)
	mul4(out, next, z11)
}
