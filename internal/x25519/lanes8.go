package x25519

// fe8 is a field element in each of eight lanes: limb i of lane k is fe8[i][k].
// The limbs have 51 bits and weigh 2^(51 * i). It may hold a little more than
// that: see lanes8_generic.go.
type fe8 = [5][8]uint64

// ladder8 is the state of eight ladders, as ladder4 is of four.
type ladder8 = [5]fe8

// work8 is what one batch needs, group after group.
type work8 struct {
	ladder ladder8
	powers [8]fe8
}

// sharedSecrets8 computes shared secrets in groups of up to eight.
func sharedSecrets8(scalars, publics, secrets [][Size]byte) {
	w := new(work8)
	for done := 0; done < len(publics); {
		end := min(done+8, len(publics))
		w.group(part(scalars, done, end), publics[done:end], secrets[done:end])
		done = end
	}
}

// group computes as many shared secrets as there are lanes, or fewer.
func (w *work8) group(scalars, publics, secrets [][Size]byte) {
	w.ladder = ladder8{}
	l := &w.ladder
	for lane := range publics {
		u := decodeUCoordinate(&publics[lane])
		for i := range fe8Limbs {
			l[x1][i][lane] = u.limb(51*i, 51)
		}
	}
	l[x3] = l[x1]
	l[x2][0] = [8]uint64{1, 1, 1, 1, 1, 1, 1, 1}
	l[z3][0] = [8]uint64{1, 1, 1, 1, 1, 1, 1, 1}
	var swap uint64
	for t := 254; t >= 0; t-- {
		b := scalarBits(scalars, t)
		ladderStep8(l, swap^b)
		swap = b
	}
	// The last bit of a clamped scalar is 0: point 2 is the result, and nothing
	// is left to be swapped.
	invert8(&l[z2], &l[z2], &w.powers)
	mul8(&l[x2], &l[x2], &l[z2])
	for lane := range secrets {
		var u words
		for i := range fe8Limbs {
			u = u.plus(shifted(l[x2][i][lane], 51*i))
		}
		u.encodeUCoordinate(&secrets[lane])
	}
}

const fe8Limbs = len(fe8{})

// invert8 sets out = z^(p-2), which is 1/z, or 0 for 0. The names say for which
// k they hold z^(2^k - 1); p - 2 = 2^255 - 21 = (2^250 - 1) * 2^5 + 11.
// It uses up t.
func invert8(out, z *fe8, t *[8]fe8) {
	z9, z11, k5, k10, k20, k50, k100, next := &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]
	square8(next, z, 1)  // z^2
	square8(z9, next, 2) // z^8
	mul8(z9, z9, z)      // z^9
	mul8(z11, z9, next)  // z^11
	square8(k5, z11, 1)  // z^22
	mul8(k5, k5, z9)     // z^31
	square8(k10, k5, 5)
	mul8(k10, k10, k5)
	square8(k20, k10, 10)
	mul8(k20, k20, k10)
	square8(next, k20, 20)
	mul8(next, next, k20) // k = 40
	square8(k50, next, 10)
	mul8(k50, k50, k10)
	square8(k100, k50, 50)
	mul8(k100, k100, k50)
	square8(next, k100, 100)
	mul8(next, next, k100) // k = 200
	square8(next, next, 50)
	mul8(next, next, k50) // k = 250
	square8(next, next, 5)
	mul8(out, next, z11)
}
