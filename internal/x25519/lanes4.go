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

// field4 are the operations of fe4.
var field4 = operations[fe4]{mul: mul4, square: square4}

// groups4 is how many groups of lanes at most share an inversion: those of 64 secrets.
const groups4 = 16

// work4 is what one batch needs, as many groups after one another as there is room for in results.
type work4 struct {
	ladder ladder4
	powers [8]fe4
	// The point 2 of each group's ladders in the end, and what inverting takes.
	x, z, products []fe4
}

// sharedSecrets4 computes shared secrets in groups of up to four.
func sharedSecrets4(scalars, publics, secrets [][Size]byte) {
	groups := min(groups4, (len(publics)+3)/4)
	w := &work4{x: make([]fe4, groups), z: make([]fe4, groups), products: make([]fe4, groups)}
	for done := 0; done < len(publics); {
		end := min(done+4*groups, len(publics))
		w.some(part(scalars, done, end), publics[done:end], secrets[done:end])
		done = end
	}
}

// some computes as many shared secrets as there is room for, or fewer.
func (w *work4) some(scalars, publics, secrets [][Size]byte) {
	groups := 0
	for done := 0; done < len(publics); groups++ {
		end := min(done+4, len(publics))
		w.multiply(groups, part(scalars, done, end), publics[done:end])
		done = end
	}
	field4.invertAll(w.z[:groups], w.products[:groups], &w.powers)
	for g := range groups {
		mul4(&w.x[g], &w.x[g], &w.z[g])
		for lane := range min(4, len(secrets)) {
			integer4(&w.x[g], lane).encodeUCoordinate(&secrets[lane])
		}
		secrets = secrets[min(4, len(secrets)):]
	}
}

// multiply multiplies the points of a group of lanes, or fewer, by the scalars. The result of a lane is w.x/w.z: where the point is that at infinity, whose
// z is 0, it makes them 0 and 1.
func (w *work4) multiply(group int, scalars, publics [][Size]byte) {
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
	x, z := &w.x[group], &w.z[group]
	*x, *z = l[x2], l[z2]
	for lane := range 4 {
		infinite := integer4(z, lane).isZero()
		for i := range fe4Limbs {
			x[i][lane] &= infinite - 1
			z[i][lane] &= infinite - 1
		}
		z[0][lane] |= infinite
	}
}

// integer4 returns a lane's element, below 2^256.
func integer4(e *fe4, lane int) (u words) {
	for i := range fe4Limbs {
		u = u.plus(shifted(e[i][lane], offset4(i)))
	}
	return u
}

const fe4Limbs = len(fe4{})
